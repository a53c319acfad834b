import { basename } from 'node:path';
import { exitCode, Failure } from '../../../base/failure.ts';
import { quoted } from '../../../base/quoted.ts';

/** A file of raw pages and its CPU. */
export interface RawInput {
  readonly cpu: number;
  readonly path: string;
}

const cpuBefore = /^cpu(\d{1,5})=(.+)$/s;

/** Whether an operand is `cpu3=FILE`. */
export function saysCpu(given: string): boolean {
  return cpuBefore.test(given);
}

/** Parses `cpu3=FILE`, or a path whose file name contains exactly one CPU: cpu3.raw, trace-path-cpu3.out. Throws Failure. */
export function rawInput(given: string): RawInput {
  const [, said, file] = cpuBefore.exec(given) ?? [];
  if (said !== undefined && file !== undefined) return { cpu: Number(said), path: file };
  const named = new Set([...basename(given).matchAll(/cpu(\d{1,5})(?!\d)/gi)].map(([, cpu]) => Number(cpu)));
  const [cpu] = named;
  if (cpu !== undefined && named.size === 1) return { cpu, path: given };
  throw new Failure(
    exitCode.usage,
    `cannot tell which CPU the pages in ${quoted(given)} came from`,
    `put the CPU before the file: cpu0=${given}`,
  );
}
