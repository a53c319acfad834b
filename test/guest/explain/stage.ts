import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainSession } from '../../../src/analysis/explain/explain-session.ts';
import type { Wait } from '../../../src/analysis/explain/result.ts';
import { isObject } from '../../../src/base/json-type.ts';
import { openSession, type Session } from '../../../src/trace/session.ts';
import { shiftedTimeOf } from '../../../src/trace/events/shifted-time.ts';
import { type Guest, restoreGuest, tracePorts } from '../harness/index.ts';
import { tool } from '../harness/tool.ts';
import { GuestAgent } from '../support/agent.ts';
import { parsedReports, type Recorded, startRecord } from '../support/recording.ts';
import { putBursts } from './bursts.ts';
import { common, type Stretch } from './judge.ts';

/** The guest's CPU on which tasks are made to wait, and the host's to which its vCPU is pinned. */
export const guestCpu = 1;
const hostEvents = ['-e', 'sched', '-e', 'irq'];
const guestEvents = ['-e', 'sched', '-e', 'irq', '-e', 'irq_vectors', '-e', 'timer'];

/** Guests whose vCPUs are pinned, recorded together with this host. */
export class Stage {
  readonly guests: ReadonlyMap<string, Guest>;
  readonly #dir: string;

  private constructor(guests: ReadonlyMap<string, Guest>, dir: string) {
    this.guests = guests;
    this.#dir = dir;
  }

  /** @param hostCpu where the vCPU `guestCpu` of each guest runs, and nothing else of the guests */
  static async restore(names: readonly string[], hostCpu: number): Promise<Stage> {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-explain-'));
    const guests = new Map<string, Guest>();
    const stage = new Stage(guests, dir);
    try {
      for (const name of names) {
        const running = GuestAgent.running();
        const portsDir = join(dir, name);
        const guest = await restoreGuest({ cpus: 2, ports: tracePorts(2), portsDir, monitor: true, running });
        guests.set(name, guest);
        await pin(guest, hostCpu);
        await putBursts(guest);
      }
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  get running(): boolean {
    return [...this.guests.values()].every((guest) => guest.running);
  }

  guest(name: string): Guest {
    const guest = this.guests.get(name);
    assert.ok(guest, `there is no guest ${name}`);
    return guest;
  }

  /** Records host and guests while something happens. */
  async record(meanwhile: () => Promise<void>): Promise<Recording> {
    const out = join(this.#dir, 's.dat');
    const sections = [...this.guests.keys()].flatMap((name) => ['-A', name, ...guestEvents]);
    const run = startRecord(this.#dir, out, this.#dir, [...hostEvents, ...sections, '--json']);
    try {
      await run.said('recording;');
      await meanwhile();
    } finally {
      run.child.kill('SIGINT');
    }
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    return new Recording(await openSession(out), parsedReports(stdout));
  }

  async close(): Promise<void> {
    for (const guest of this.guests.values()) await guest.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Lets a guest's vCPU run on one CPU of the host, and all its other threads on the others. */
async function pin(guest: Guest, hostCpu: number): Promise<void> {
  const threads = await guest.qmp('query-cpus-fast');
  assert.ok(Array.isArray(threads));
  const tid = threads.filter(isObject).find((cpu) => cpu['cpu-index'] === guestCpu)?.['thread-id'];
  assert.ok(typeof tid === 'number');
  for (const thread of readdirSync(`/proc/${guest.qemuPid}/task`)) {
    const cpu = String(Number(thread) === tid ? hostCpu : 1 - hostCpu);
    tool('taskset', ['-pc', cpu, thread]);
  }
}

/** A recording of host and guests. */
export class Recording {
  readonly reports: readonly Recorded[];
  readonly session: Session;
  readonly #span: Stretch;

  constructor(session: Session, reports: readonly Recorded[]) {
    this.session = session;
    this.reports = reports;
    const spans = session.machines.map(({ trace }) => trace.span()!);
    const from = spans.reduce((most, { first }) => (first > most ? first : most), 0n);
    const to = spans.reduce((least, { last }) => (last < least ? last : least), spans[0]!.last);
    this.#span = { from, to };
  }

  /** How far the times of the first guest may be wrong for half of the time. */
  get boundNs(): number {
    return this.reports[0]?.clock?.[0]?.medianBoundNs ?? Number.NaN;
  }

  /** A log by the clock of a machine, in the host's time, as far as it was recorded. */
  logOf(machine: string, log: readonly Stretch[]): Stretch[] {
    const { timeShift } = this.session.machine(machine).trace.source;
    const shift = timeShift && shiftedTimeOf(timeShift, guestCpu);
    const toHost = (time: bigint): bigint => shift?.at(time) ?? time;
    const converted = log.map(({ from, to }) => ({ from: toHost(from), to: toHost(to) }));
    return common(converted, [this.#span]);
  }

  /** All waits of a task of a guest, whose causes sum up to their lengths. */
  async waitsOf(guest: string, task: string): Promise<readonly Wait[]> {
    const { waits, waitCount } = await explainSession(this.session, { guest, task, worst: 1_000_000 });
    assert.equal(waits.length, waitCount);
    for (const { causes, lengthNs, dueNs, endNs } of waits) {
      const sum = causes.reduce((so, { ns }) => so + ns, 0);
      assert.ok(Math.abs(sum - lengthNs) < 0.001, `${sum} and ${lengthNs}`);
      assert.ok(Math.abs(Number(endNs - dueNs) - lengthNs) <= 1);
    }
    return waits;
  }

  async close(): Promise<void> {
    await this.session.close();
  }
}
