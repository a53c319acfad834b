import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainSession } from '../../../../src/analysis/explain/explain-session.ts';
import type { Explanation, Wait } from '../../../../src/analysis/explain/result.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { noDevice } from '../../../simulator/session/frame.ts';
import type { SessionOptions } from '../../../simulator/session/options.ts';
import {
  type SimulatedSession,
  simulateSession,
  type TrueWait,
} from '../../../simulator/session/simulate.ts';
import { writeSession } from '../../../simulator/session/trace/session-files.ts';

export interface Compared {
  readonly session: SimulatedSession;
  readonly found: Explanation;
  /** What differs, in words; empty if everything is right. */
  readonly wrong: readonly string[];
  /** Waits that were compared, those of which everything must be known, and the time of all. */
  readonly waits: number;
  readonly exact: number;
  readonly ns: number;
  readonly unknownNs: number;
  /** Time that is given a cause which it does not have. */
  readonly wrongNs: number;
}

/** Simulates a session, explains its recordings, and compares with the truth. */
export async function compared(options: SessionOptions): Promise<Compared> {
  const session = simulateSession(options);
  const dir = mkdtempSync(join(tmpdir(), 'explain-test-'));
  try {
    const opened = await openSession(await writeSession(dir, session));
    const found = await explainSession(opened, { worst: 1_000_000 });
    const hostTo = Number(opened.machines[0]?.trace.span()?.last ?? 0n);
    await opened.close();
    return { session, found, ...differences(session, found, hostTo) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Time for each cause, by a text that names it. */
type Sums = Map<string, number>;

/** @param hostTo the last event of the host: waits that begin later are not explained */
function differences(
  session: SimulatedSession,
  found: Explanation,
  hostTo: number,
): Omit<Compared, 'session' | 'found'> {
  const { truth, options } = session;
  const wrong: string[] = [];
  let [waits, exact, ns, unknownNs, wrongNs] = [0, 0, 0, 0, 0];
  const hasLoss = truth.lost.length > 0;
  // that a CPU lost its last events is in no trace
  const unseen = truth.lost.reduce(
    (least, { from, to }) => (to === truth.to ? Math.min(least, from) : least),
    Number.POSITIVE_INFINITY,
  );
  const bounds = new Map(options.guests.map(({ name }) => [name, found.clocks[name]!.boundNs!]));
  const known = knownFrom(session);
  const byTask = new Map<string, Wait[]>();
  for (const wait of found.waits) {
    const key = `${wait.machine} ${wait.tid} ${wait.kind}`;
    const list = byTask.get(key);
    if (list === undefined) byTask.set(key, [wait]);
    else list.push(wait);
  }
  for (const list of byTask.values()) list.sort((a, b) => Number(a.endNs - b.endNs));
  for (const wait of session.knowable()) {
    // nothing tells that its time was taken
    if (wait.kind === 'stolen' && wait.causes.some((cause) => cause.kind.startsWith('guest-'))) continue;
    if (wait.kind === 'interrupted' && wait.causes.some((cause) => cause.kind === 'guest-task')) continue;
    if (wait.end === wait.due || wait.end > unseen) continue;
    const bound = bounds.get(wait.machine)!;
    if (wait.due + bound > hostTo) continue;
    const list = byTask.get(`${wait.machine} ${wait.tid} ${wait.kind}`) ?? [];
    const near = list.find(
      ({ endNs, dueNs }) =>
        Math.abs(Number(endNs) - wait.end) <= bound && Math.abs(Number(dueNs) - wait.due) <= bound,
    );
    // nobody can know the states before the first events that say them, nor where events were lost
    const isKnown = wait.due >= known && !hasLoss;
    if (near === undefined) {
      if (isKnown && wait.end - wait.due > 2 * bound && inferredNs(wait) === 0)
        wrong.push(`not found: ${textOf(wait)}`);
      continue;
    }
    if (isKnown) exact++;
    waits++;
    ns += near.lengthNs;
    unknownNs += near.causes.reduce((sum, each) => sum + (each.kind === 'unknown' ? each.ns : 0), 0);
    // each end of a stretch may be wrong by the bound of the clock that it is read from
    const tolerance = (wait.causes.length + 1) * Math.max(...bounds.values()) + inferredNs(wait);
    for (const [what, { truth, found }] of differing(sumsOf(wait), sumsFound(near))) {
      if (/^unknown|null$/.test(what) && !isKnown) continue;
      // what is unknown lacks elsewhere
      if (found - truth > tolerance) wrongNs += found - truth;
      if (found - truth > tolerance || (isKnown && truth - found > tolerance))
        wrong.push(`${textOf(wait)}: ${what} took ${truth} and was said to take ${found}`);
    }
  }
  return { wrong, waits, exact, ns, unknownNs, wrongNs };

  /** How wrong an inferred switch may be: time in which the true one can have been. */
  function inferredNs({ due, end }: TrueWait): number {
    return truth.missing.reduce(
      (sum, { from, to }) => sum + Math.max(0, Math.min(to, end + 1) - Math.max(from, due - 1)),
      0,
    );
  }
}

/** When everything has been seen once. */
function knownFrom({ truth: { hostCpus, guestCpus, vcpus, from, to } }: SimulatedSession): number {
  let known = from;
  for (const { knownFrom } of [...hostCpus, ...guestCpus]) known = Math.max(known, knownFrom ?? to);
  // a thread's first change of state, and its first exit or entry
  for (const { spans } of vcpus) known = Math.max(known, spans[2]?.from ?? to);
  return known;
}

function sumsOf({ causes, machine }: TrueWait): Sums {
  const sums: Sums = new Map();
  for (const { kind, tid, number, name, from, to, ...cause } of causes) {
    const who = hasTask(kind) ? tid : number === noDevice ? name : (number ?? '');
    const key = `${kind} ${hasMachine(kind) ? cause.machine : machine} ${who}`;
    sums.set(key, (sums.get(key) ?? 0) + to - from);
  }
  return sums;
}

function sumsFound({ causes, machine }: Wait): Sums {
  const sums: Sums = new Map();
  for (const { kind, tid, number, name, ns, ...cause } of causes) {
    const who = hasTask(kind) ? tid : kind.endsWith('irq') ? (number ?? name) : (number ?? '');
    const key = `${kind} ${hasMachine(kind) ? cause.machine : machine} ${who}`;
    sums.set(key, (sums.get(key) ?? 0) + ns);
  }
  return sums;
}

function hasTask(kind: string): boolean {
  return ['guest-task', 'preempted', 'woken-behind', 'other-vcpu'].includes(kind);
}

function hasMachine(kind: string): boolean {
  return hasTask(kind) || kind.endsWith('irq');
}

function differing(truth: Sums, found: Sums): Map<string, { truth: number; found: number }> {
  const differ = new Map<string, { truth: number; found: number }>();
  for (const key of new Set([...truth.keys(), ...found.keys()])) {
    const [a, b] = [truth.get(key) ?? 0, found.get(key) ?? 0];
    if (a !== b) differ.set(key, { truth: a, found: b });
  }
  return differ;
}

function textOf({ machine, tid, kind, due, end, isDue, places }: TrueWait): string {
  const cpus = places.map(({ cpu }) => cpu).join(',');
  return `${kind}${isDue ? ' due' : ''} of ${machine} ${tid} on ${cpus} from ${due} to ${end} (${end - due})`;
}
