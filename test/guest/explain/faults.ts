import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cause, Wait } from '../../../src/analysis/explain/result.ts';
import { clockNs } from '../../../src/native/clock.ts';
import { burstHere, burstIn, burstsOf, type Ran } from './bursts.ts';
import { common, type Judged, judged, type Stretch } from './judge.ts';
import { guestCpu, type Recording, type Stage } from './stage.ts';
import { stormIn } from './storm.ts';

/** The guest whose tasks wait, and another one that takes its CPU. */
export const web = 'web';
export const db = 'db';

/** Something that takes a guest's time. */
export interface Fault {
  readonly isCulprit: (cause: Cause) => boolean;
  /** Ends it, and says when it had the time, by the clock of a machine. */
  end(): Promise<FaultLog>;
}

interface FaultLog {
  readonly machine: string;
  readonly log: readonly Stretch[];
  /** The same, each burst as a whole. */
  readonly bursts: readonly Stretch[];
}

const settleMs = 300;
/** A culprit that took less has not done what it is to do. */
const leastNs = 50e6;
/** Long enough for the clocks' error, and short enough for SCHED_FIFO's limit of 95 %. */
const bursts = { fifo: 50, runUs: 40_000, everyUs: 120_000 };

/** A task of the host, on the CPU of the vCPU. */
export async function hostHog(hostCpu: number): Promise<Fault> {
  const hog = await burstHere({ name: 'hog', cpu: hostCpu, ...bursts });
  return {
    isCulprit: ({ kind, tid }) => (kind === 'preempted' || kind === 'woken-behind') && tid === hog.tid,
    end: () => logOf('host', hog),
  };
}

/** A task of the same guest. */
export async function guestHog(stage: Stage): Promise<Fault> {
  const hog = await burstIn(stage.guest(web), { name: 'hog', cpu: guestCpu, ...bursts });
  return {
    isCulprit: ({ kind, tid }) => kind === 'guest-task' && tid === hog.tid,
    end: () => logOf(web, hog),
  };
}

/** A task of another guest, on the same CPU of the host. */
export async function otherGuest(stage: Stage): Promise<Fault> {
  const hog = await burstIn(stage.guest(db), { name: 'hog', cpu: guestCpu, ...bursts });
  return {
    isCulprit: ({ kind, machine, tid }) => kind === 'other-vcpu' && machine === db && tid === hog.tid,
    end: () => logOf(db, hog),
  };
}

/** A device of the guest that interrupts the CPU for a third of the time. */
export async function irqStorm(stage: Stage): Promise<Fault> {
  const storm = await stormIn(stage.guest(web), { cpu: guestCpu, runUs: 1000, everyUs: 2000 });
  return {
    isCulprit: ({ kind, number, name }) =>
      kind === 'guest-irq' && number === storm.irq && name === storm.name,
    end: () => logOf(web, storm),
  };
}

/** QEMU stops the guest once. */
export async function pause(stage: Stage): Promise<Fault> {
  const guest = stage.guest(web);
  await sleep(1000);
  await guest.qmp('stop');
  const from = clockNs('boottime');
  await sleep(200);
  const to = clockNs('boottime');
  await guest.qmp('cont');
  return {
    isCulprit: ({ kind }) => kind === 'paused',
    end: () => Promise.resolve({ machine: 'host', log: [{ from, to }], bursts: [{ from, to }] }),
  };
}

async function logOf(machine: string, culprit: { end(): Promise<Ran[]> }): Promise<FaultLog> {
  const log = await culprit.end();
  return { machine, log, bursts: burstsOf(log) };
}

/** A task of the guest that always has something to do, or one that only wakes up each 5 ms. */
export type Victim = 'spinner' | 'probe';

export interface Trial extends Judged {
  readonly recording: Recording;
  readonly waits: readonly Wait[];
  /** What its culprit took, in the order of time. */
  readonly taken: readonly Stretch[];
  /** All of this in one line. */
  readonly line: string;
}

/** Records a guest while something takes its time, and judges what is said of its task. The caller closes the recording. */
export async function tried(
  stage: Stage,
  fault: () => Promise<Fault>,
  victim: Victim,
  seconds: number,
): Promise<Trial> {
  const guest = stage.guest(web);
  const probe = { name: victim, cpu: guestCpu, fifo: 10, runUs: 0, everyUs: 5000 };
  const burster = await burstIn(guest, victim === 'probe' ? probe : { name: victim, cpu: guestCpu });
  let logs: FaultLog | undefined;
  let isCulprit: Fault['isCulprit'] = () => false;
  const recording = await stage.record(async () => {
    await sleep(settleMs);
    const running = await fault();
    ({ isCulprit } = running);
    await sleep(seconds * 1000);
    logs = await running.end();
    await sleep(settleMs);
  });
  const own = recording.logOf(web, await burster.end());
  const { machine, log, bursts: logged } = logs!;
  const bursts = recording.logOf(machine, logged);
  const logOfAll = recording.logOf(machine, log);
  const taken = victim === 'probe' ? common(logOfAll, own) : logOfAll;
  const waits = await recording.waitsOf(web, victim);
  const found = judged(waits, isCulprit, taken, bursts);
  return { ...found, recording, waits, taken, line: lineOf(found, recording.boundNs) };
}

/** Holds what the waits say against the log. */
export function assertNamed({ took, named, outside, line }: Judged & Pick<Trial, 'line'>): void {
  assert.ok(took >= leastNs, line);
  assert.ok(named >= 0.95 * took, line);
  assert.ok(outside <= 0.02 * took, line);
}

function lineOf({ took, named, outside, naming }: Judged, boundNs: number): string {
  const percent = (ns: number): string => `${((ns / took) * 100).toFixed(2)} %`;
  const bound = `clock ± ${(boundNs / 1000).toFixed(0)} us`;
  return `took ${(took / 1e6).toFixed(1)} ms: ${percent(named)} named in ${naming} waits, ${percent(outside)} outside; ${bound}`;
}
