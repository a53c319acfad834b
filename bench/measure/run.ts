import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../machine/machine.ts';
import { defaultOptions, type Moving, type Side, type SideOptions } from '../sides/side.ts';
import { cpuTimes, total } from './cpu-time.ts';
import { Drain } from './drain.ts';
import { type Load, markerBytes, writeMarkers } from './load.ts';
import { defaultRing, pageBytesOf, resetRings, type RingSettings, ringStats } from './ring.ts';

const lookMs = 100;
/** Nothing more comes: an emulated CPU may stand still for as long as its host is busy. */
const quietMs = { native: 500, guest: 3000 } as const;
/** Of a side that brings all that it takes what is missing is on its way, or it has a fault. */
const arrivalMs = 60_000;

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
  /** NaN when it ended by itself. */
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
  const flowing = await arrived(machine, run, drains, markers);
  const cpuNs = (await cpuNsOf(machine, moving)) - startNs;
  const dataBytes = flowing.dataBytes + (await moving.fileBytes());
  await moving.stop();
  const { received, overrun, left } = await arrived(machine, run, drains, markers);
  for (const drain of drains) await drain.end();
  const reachedMbPerSecond = (markers * markerBytes) / 1e6 / seconds / machine.cpus.length;
  return { dataBytes, cpuNs, reachedMbPerSecond, written: markers, received, overrun, left };
}

interface Arrived {
  readonly dataBytes: number;
  readonly received: number;
  readonly overrun: number;
  readonly left: number;
}

/** Waits until every event that was written has come, is in a ring or was overwritten, or until nothing more comes. */
async function arrived(
  machine: Machine,
  { side }: Run,
  drains: readonly Drain[],
  written: number,
): Promise<Arrived> {
  let before = -1;
  for (let sinceMs = performance.now(); ; ) {
    const drained = await Promise.all(drains.map((drain) => drain.received()));
    const stats = await ringStats(machine);
    const received = side.outlet === 'port' ? sum(drained, 'events') : sum(stats, 'readEvents');
    const now = {
      dataBytes: sum(drained, 'dataBytes'),
      received,
      overrun: sum(stats, 'overrun'),
      left: sum(stats, 'entries'),
    };
    const known = now.received + now.overrun + now.left;
    if (known !== before) sinceMs = performance.now();
    const mostMs = side.name === 'agent' ? arrivalMs : quietMs[machine.kind];
    if (known === written || performance.now() - sinceMs >= mostMs) return now;
    before = known;
    await sleep(lookMs);
  }
}

/** NaN once one of its processes has ended by itself: then it has moved only a part. */
async function cpuNsOf(machine: Machine, { tasks }: Moving): Promise<number> {
  const pids = tasks.map(({ pid }) => pid);
  const times = await cpuTimes(machine, pids);
  return pids.every((pid) => times.has(pid)) ? total(times) : Number.NaN;
}

/** CPU seconds for each 10^9 bytes of trace; NaN when the side ended by itself. */
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

function sum<Field extends string>(all: readonly Record<Field, number>[], field: Field): number {
  return all.reduce((so, one) => so + one[field], 0);
}
