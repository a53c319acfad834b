import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../machine/machine.ts';
import { defaultOptions, type Moving, type Side, type SideOptions } from '../sides/side.ts';
import { cpuTimes, total } from './cpu-time.ts';
import { Drain, type Received } from './drain.ts';
import { type Load, markerBytes, writeMarkers } from './load.ts';
import { defaultRing, pageBytesOf, resetRings, type RingSettings, ringStats } from './ring.ts';

const fileSettleMs = 500;
/** An emulated CPU may stand still for as long as its host is busy. */
const quietMs = { native: 200, guest: 1000 } as const;

export interface Run {
  readonly side: Side;
  readonly load: Load;
  readonly ring?: RingSettings;
  readonly options?: SideOptions;
}

/** What one side did under one load, all CPUs together. */
export interface Moved {
  /** Of trace in the pages, without headers and padding, while it ran. */
  readonly dataBytes: number;
  readonly cpuNs: number;
  /** What the load came to on each CPU. */
  readonly reachedMbPerSecond: number;
  readonly written: number;
  /** Events that came; with an outlet of files those that the kernel says were read. */
  readonly received: number;
  /** Events that newer ones overwrote in the ring before they were taken. */
  readonly overrun: number;
  /** Events still in the rings behind the end. */
  readonly left: number;
}

/** Starts a side, loads all CPUs, waits until what it sends has come, and ends it. */
export async function measure(machine: Machine, run: Run): Promise<Moved> {
  const { side, load, ring = defaultRing, options = defaultOptions } = run;
  await resetRings(machine, ring);
  const pageBytes = await pageBytesOf(machine);
  const drains = await Promise.all(machine.cpus.map((cpu) => Drain.open(machine.hostFifo(cpu), pageBytes)));
  const moving = await side.start(machine, options);
  const startNs = await cpuNsOf(machine, moving);
  const { markers, seconds } = await writeMarkers(machine, load);
  const flowing =
    side.outlet === 'port'
      ? await Promise.all(drains.map((drain) => drain.quiet(quietMs[machine.kind])))
      : [];
  if (side.outlet === 'file') await sleep(fileSettleMs);
  const cpuNs = (await cpuNsOf(machine, moving)) - startNs;
  const dataBytes = sum(flowing, 'dataBytes') + (await moving.fileBytes());
  await moving.stop();
  const received = await Promise.all(drains.map((drain) => drain.end()));
  const stats = await ringStats(machine);
  const taken = side.outlet === 'port' ? sum(received, 'events') : sumOf(stats, 'readEvents');
  const counts = { overrun: sumOf(stats, 'overrun'), left: sumOf(stats, 'entries') };
  const reachedMbPerSecond = (markers * markerBytes) / 1e6 / seconds / machine.cpus.length;
  return { dataBytes, cpuNs, reachedMbPerSecond, written: markers, received: taken, ...counts };
}

/** A side that has ended meanwhile moved nothing any more: no measure. */
async function cpuNsOf(machine: Machine, { tasks }: Moving): Promise<number> {
  try {
    const pids = tasks.map(({ pid }) => pid);
    return total(await cpuTimes(machine, pids));
  } catch (cause) {
    const said = tasks.map(({ pid, stderr }) => `pid ${pid}: ${stderr.trim()}`).join('\n');
    throw new Error(`${String(cause)}\n${said}`, { cause });
  }
}

/** CPU seconds for each 10^9 bytes of trace. */
export function secondsPerGb({ cpuNs, dataBytes }: Moved): number {
  return cpuNs / dataBytes;
}

/** Events that neither came nor are in the rings any more. */
export function lostOf({ written, received, left }: Moved): number {
  return written - received - left;
}

/** The agent sends all that it takes: throws when more went missing than the kernel overwrote, or anything is left. */
export function assertAccount(moved: Moved, { name }: Side): void {
  if (name !== 'agent' || (lostOf(moved) === moved.overrun && moved.left === 0)) return;
  throw new Error(`the agent's account does not add up: ${JSON.stringify(moved)}`);
}

function sum(drained: readonly Received[], field: 'dataBytes' | 'events'): number {
  return drained.reduce((all, one) => all + one[field], 0);
}

function sumOf<Field extends string>(stats: readonly Record<Field, number>[], field: Field): number {
  return stats.reduce((all, one) => all + one[field], 0);
}
