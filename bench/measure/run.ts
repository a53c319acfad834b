import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../machine/machine.ts';
import { defaultOptions, type Moving, type Side, type SideOptions } from '../sides/side.ts';
import { cpuTimes, total } from './cpu-time.ts';
import { Drain } from './drain.ts';
import { type Load, markerBytes, writeMarkers } from './load.ts';
import { defaultRing, pageBytesOf, resetRings, type RingSettings, ringStats } from './ring.ts';

const lookMs = 100;
/** After this time without data, nothing more is expected: an emulated CPU may pause while its host is busy. */
const quietMs = { native: 500, guest: 3000 } as const;
/** How long to wait for the agent, which delivers everything it reads: what is missing is in transit, or it is a bug. */
const arrivalMs = 60_000;

export interface Run {
  readonly side: Side;
  readonly load: Load;
  readonly ring?: RingSettings;
  readonly options?: SideOptions;
}

/** Result of one side under one load, summed over all CPUs. */
export interface Moved {
  /** Bytes of trace data moved, without page headers and padding. */
  readonly dataBytes: number;
  /** NaN if the side ended by itself. */
  readonly cpuNs: number;
  /** The rate that the load reached on each CPU. */
  readonly reachedMbPerSecond: number;
  readonly written: number;
  /** Events that arrived; for sides that write files, those that the kernel reports as read. */
  readonly received: number;
  /** Events overwritten in the ring before they were read. */
  readonly overrun: number;
  /** Events still in the rings after the end. */
  readonly left: number;
}

/** Starts a side, loads all CPUs, waits until the data has arrived, and ends the side. */
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
  const { received, overrun, left } =
    side.resetsCounts === true ? flowing : await arrived(machine, run, drains, markers);
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

/** Waits until every written event arrived, is in a ring or was overwritten, or until no more data arrives. */
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

/** NaN if one of its processes ended by itself, because it then moved only a part. */
async function cpuNsOf(machine: Machine, { tasks }: Moving): Promise<number> {
  const pids = tasks.map(({ pid }) => pid);
  const times = await cpuTimes(machine, pids);
  return pids.every((pid) => times.has(pid)) ? total(times) : Number.NaN;
}

/** CPU seconds per 10^9 bytes of trace; NaN if the side ended by itself. */
export function secondsPerGb({ cpuNs, dataBytes }: Moved): number {
  return cpuNs / dataBytes;
}

/** Events that neither arrived nor are still in the rings. */
export function lostOf({ written, received, left }: Moved): number {
  return written - received - left;
}

/** The agent sends everything it reads: throws if more is missing than the kernel overwrote, or if events are left. */
export function assertAccount(moved: Moved, { name }: Side): void {
  if (name !== 'agent' || (lostOf(moved) === moved.overrun && moved.left === 0)) return;
  throw new Error(`the agent's totals do not add up: ${JSON.stringify(moved)}`);
}

function sum<Field extends string>(all: readonly Record<Field, number>[], field: Field): number {
  return all.reduce((so, one) => so + one[field], 0);
}
