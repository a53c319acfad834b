import { exitCode, Failure } from './failure.ts';
import { quoted } from './quoted.ts';

/** The largest CONFIG_NR_CPUS that the kernel allows. */
export const maxCpus = 8192;

/**
 * Reads the kernel's CPU list format: `0-3,6`, and `0-31:2/8` for the first 2 of every 8. Returns each number once,
 * in ascending order. `name` is what errors call the list, e.g. `--cpus`. Throws Failure (usage).
 */
export function parseCpuList(text: string, name: string): number[] {
  const cpus = new Set<number>();
  for (const part of text.split(',')) for (const cpu of parseRange(part.trim(), text, name)) cpus.add(cpu);
  return [...cpus].sort((a, b) => a - b);
}

function parseRange(part: string, text: string, name: string): number[] {
  const match = /^(\d{1,10})(?:-(\d{1,10})(?::(\d{1,10})\/(\d{1,10}))?)?$/.exec(part);
  if (match === null) {
    const thing = part === '' ? 'an empty entry' : quoted(part);
    throw refused(`${name}: ${thing} in ${quoted(text)} is neither a CPU nor a range`);
  }
  const first = Number(match[1]);
  const last = Number(match[2] ?? first);
  const used = Number(match[3] ?? 1);
  const group = Number(match[4] ?? 1);
  if (first > last) throw refused(`${name}: the range ${part} runs backwards`);
  if (last >= maxCpus) throw refused(`${name}: no kernel has a CPU ${match[2] ?? match[1]}`);
  if (used < 1 || used > group) throw refused(`${name}: ${part} takes ${match[3]} CPUs of every ${match[4]}`);
  const cpus: number[] = [];
  for (let cpu = first; cpu <= last; cpu++) if ((cpu - first) % group < used) cpus.push(cpu);
  return cpus;
}

function refused(message: string): Failure {
  return new Failure(exitCode.usage, message, `give CPU numbers from 0 to ${maxCpus - 1} such as 0-3,6`);
}
