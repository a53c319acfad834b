import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from '../harness/index.ts';

/** Clock ticks per second in /proc/PID/stat. */
const ticksPerSecond = 100;

/** CPU time that processes have taken so far, user and system, in ticks of 10 ms. */
export async function ticksOf(guest: Guest, pids: Iterable<number>): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await guest.check(`cat /proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks;
}

/**
 * Throws when processes use more of a CPU than `most` (of 1, together) in each of several periods of `seconds`. A
 * process that spins exceeds it in every period; another one may for a while, because a guest is charged for its
 * host's other work.
 */
export async function assertIdle(
  guest: Guest,
  pids: readonly number[],
  seconds: number,
  most: number,
): Promise<void> {
  const found: number[] = [];
  while (found.length < 5) {
    const before = await ticksOf(guest, pids);
    await sleep(seconds * 1000);
    const used = (await ticksOf(guest, pids)) - before;
    found.push(used);
    console.log(`${used} ticks of ${pids.length} processes in ${seconds} s`);
    if (used < most * seconds * ticksPerSecond) return;
  }
  assert.fail(`it spins: ${found.join(', ')} ticks in ${seconds} s each`);
}

/** A process's resident memory in KiB. */
export async function rssKbOf(guest: Guest, pid: number): Promise<number> {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(await guest.check(`cat /proc/${pid}/status`));
  if (found === null) throw new Error(`process ${pid} has no memory`);
  return Number(found[1]);
}

/**
 * Number of descriptors that a process has open: the minimum of several checks, because it opens and closes files
 * meanwhile.
 */
export async function descriptorsOf(guest: Guest, pid: number): Promise<number> {
  // not ls, which checks each one again, and one may be closed by then
  const counts = await guest.check(
    `for i in 1 2 3 4 5; do set -- /proc/${pid}/fd/*; echo $#; usleep 20000; done`,
  );
  return Math.min(...counts.trim().split('\n').map(Number));
}

/** Memory that the guest can still give to programs, in bytes. */
export async function availableBytes(guest: Guest): Promise<number> {
  const found = /^MemAvailable:\s+(\d+) kB$/m.exec(await guest.check('cat /proc/meminfo'));
  return Number(found?.[1] ?? Number.NaN) * 1024;
}

/** Duration of a shell command in the guest, seen from the host, in milliseconds: the median of `times`. */
export async function shellMs(guest: Guest, times = 9): Promise<number> {
  const took: number[] = [];
  for (let turn = 0; turn < times; turn += 1) {
    const fromMs = performance.now();
    await guest.check('ls /proc >/dev/null');
    took.push(performance.now() - fromMs);
  }
  return took.toSorted((a, b) => a - b)[times >> 1] ?? Number.NaN;
}
