/** A process that writes numbered markers on one CPU, controlled over its channel; started by `MarkerWriter`. */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { pinProcess } from '../../../src/native/process/affinity.ts';

export type ToWriter =
  /** So many, as fast as possible. */
  | { readonly kind: 'write'; readonly count: number; readonly bytes: number }
  /** So many per second, until `halt`. */
  | { readonly kind: 'run'; readonly perSecond: number; readonly bytes: number }
  | { readonly kind: 'halt' };

/** The answer to `write` and to `halt`: the total number of markers written. */
export interface FromWriter {
  readonly written: number;
}

const paceMs = 5;

const [markerFile = '', cpuText = ''] = process.argv.slice(2);
const cpu = Number(cpuText);
pinProcess(cpu);
const fd = openSync(markerFile, constants.O_WRONLY);
let written = 0;
let pace: NodeJS.Timeout | undefined;

function write(count: number, bytes: number): void {
  for (let done = 0; done < count; done += 1) {
    writeSync(fd, `${cpu}:${written} `.padEnd(bytes, 'x'));
    written += 1;
  }
}

function run(perSecond: number, bytes: number): void {
  const fromMs = performance.now();
  const from = written;
  pace = setInterval(() => {
    const due = from + Math.floor(((performance.now() - fromMs) * perSecond) / 1000);
    write(due - written, bytes);
  }, paceMs);
}

function tell(): void {
  const answer: FromWriter = { written };
  process.send?.(answer);
}

process.on('message', (message: ToWriter) => {
  switch (message.kind) {
    case 'write':
      write(message.count, message.bytes);
      return tell();
    case 'run':
      return run(message.perSecond, message.bytes);
    case 'halt':
      clearInterval(pace);
      return tell();
    default:
      return message satisfies never;
  }
});
process.on('disconnect', () => {
  clearInterval(pace);
  closeSync(fd);
});
