import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Said } from './child.ts';

const program = fileURLToPath(new URL('child.js', import.meta.url));

/** Without a word for so long a child hangs; a usual mutation takes a few milliseconds. */
const silenceMs = 60_000;
const heapMib = 256;
/** More faults are of no use. */
const maxFaults = 20;

export interface Outcome {
  readonly read: number;
  readonly refused: number;
  /** What was wrong, with the mutation's number. */
  readonly faults: readonly string[];
}

/**
 * Reads `count` changed traces in child processes, `jobs` at a time, whose heaps are limited. A child that dies or hangs
 * is a fault of the mutation that it was at, and the next child goes on after it.
 */
export async function readMutations(
  seed: number,
  first: number,
  count: number,
  jobs: number,
): Promise<Outcome> {
  const sum = { read: 0, refused: 0, faults: new Array<string>() };
  const end = first + count;
  await Promise.all(
    Array.from({ length: jobs }, async (_, job) => {
      for (let next = first + job; next < end && sum.faults.length < maxFaults; )
        next = await oneChild(seed, next, end, jobs, sum);
    }),
  );
  return sum;
}

/** @returns the mutation to go on with */
async function oneChild(
  seed: number,
  first: number,
  end: number,
  step: number,
  sum: { read: number; refused: number; readonly faults: string[] },
): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'mutated-'));
  let next = first;
  let begun = false;
  let stderr = '';
  let why = '';
  const child = fork(program, [seed, first, end, step, dir].map(String), {
    execArgv: [`--max-old-space-size=${heapMib}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('latin1')).slice(0, 4000);
  });
  const kill = (reason: string): void => {
    why = reason;
    child.kill('SIGKILL');
  };
  let silence = setTimeout(kill, silenceMs, 'hangs');
  child.on('message', ({ index, outcome, error }: Said) => {
    clearTimeout(silence);
    silence = setTimeout(kill, silenceMs, 'hangs');
    next = index;
    begun = outcome === 'begin';
    if (begun) return;
    next = index + step;
    if (outcome === 'read') sum.read++;
    else if (outcome === 'refused') sum.refused++;
    else sum.faults.push(`mutation ${index} of seed ${seed}: ${error ?? ''}`);
    if (sum.faults.length >= maxFaults) kill('');
  });
  try {
    await once(child, 'exit');
    const code = child.exitCode ?? child.signalCode;
    if (begun || (code !== 0 && next === first && why === '')) {
      sum.faults.push(`mutation ${next} of seed ${seed}: ${why || `ended by ${code}`} ${stderr}`);
      next += step;
    }
    return next;
  } finally {
    clearTimeout(silence);
    rmSync(dir, { recursive: true, force: true });
  }
}
