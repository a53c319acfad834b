import pino from 'pino';
import type { Logger } from 'pino';
import type { LogFormat, LogLevel } from './options.ts';

const stderrFd = 2;

/**
 * The agent's log, on stderr, because stdout may carry pages. Written synchronously, so that the last lines before a
 * crash are not lost.
 */
export async function makeLog(level: LogLevel, format: LogFormat): Promise<Logger> {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (format === 'json') {
    const jsonOptions = { ...options, formatters: { level: (label: string) => ({ level: label }) } };
    return pino(jsonOptions, pino.destination({ fd: stderrFd, sync: true }));
  }
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ destination: stderrFd, sync: true, translateTime: 'SYS:HH:MM:ss.l' }));
}
