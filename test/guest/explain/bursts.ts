import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from '../harness/index.ts';
import { program } from '../harness/programs.ts';
import type { Stretch } from './judge.ts';

/** What `test/guest/programs/bursts.c` does. */
export interface BurstOptions {
  readonly name: string;
  readonly cpu: number;
  /** SCHED_FIFO with this priority. */
  readonly fifo?: number;
  /** Runs for `runUs` each period of `everyUs`; 0: only wakes up. Without both it runs all the time. */
  readonly runUs?: number;
  readonly everyUs?: number;
  /** A stretch ends where the clock jumps by so much. */
  readonly gapNs?: number;
}

/** A stretch in which it had the CPU. */
export interface Ran extends Stretch {
  /** Number of the period: its stretches are one burst. */
  readonly period: number;
}

/** Its bursts, each from its beginning to its end. */
export function burstsOf(log: readonly Ran[]): Stretch[] {
  const bursts: Ran[] = [];
  for (const { from, to, period } of log)
    if (bursts.at(-1)?.period === period) bursts.push({ ...bursts.pop()!, to });
    else bursts.push({ from, to, period });
  return bursts;
}

/** A task that takes a CPU's time and logs when it had it, by its machine's own clock. */
export interface Burster {
  readonly tid: number;
  /** Ends it. @returns its log, in the order of time */
  end(): Promise<Ran[]>;
}

const inGuest = '/tmp/bursts';

/** Starts it on this host. */
export async function burstHere(options: BurstOptions): Promise<Burster> {
  const child = spawn(program('bursts'), wordsOf(options), { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  while (!said.startsWith('ready\n')) {
    assert.equal(child.exitCode, null);
    await sleep(5);
  }
  return {
    tid: child.pid ?? -1,
    end: async () => {
      child.kill('SIGTERM');
      await ended;
      return ranOf(said);
    },
  };
}

/** Puts the program into a guest. */
export async function putBursts(guest: Guest): Promise<void> {
  await guest.writeFile(inGuest, readFileSync(program('bursts')));
  await guest.check(`chmod +x ${inGuest}`);
}

/** Starts it in a guest that has it. */
export async function burstIn(guest: Guest, options: BurstOptions): Promise<Burster> {
  const process = await guest.spawn([inGuest, ...wordsOf(options)]);
  await process.waitFor(/^ready$/m);
  return {
    tid: process.pid,
    end: async () => {
      process.kill('SIGTERM');
      const { code } = await process.wait();
      assert.equal(code, 0, process.stderr);
      return ranOf(process.stdout);
    },
  };
}

function wordsOf({ name, cpu, fifo, runUs, everyUs, gapNs }: BurstOptions): string[] {
  const given = { name, cpu, fifo, run: runUs, every: everyUs, gap: gapNs };
  return Object.entries(given).flatMap(([word, value]) =>
    value === undefined ? [] : [`--${word}`, String(value)],
  );
}

/** The stretches that a program or module says, one each line. */
export function ranOf(said: string): Ran[] {
  return [...said.matchAll(/^(\d+) (\d+) (\d+)$/gm)].map(([, from, to, period]) => ({
    from: BigInt(from ?? 0),
    to: BigInt(to ?? 0),
    period: Number(period),
  }));
}
