import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import type { BufferSummary, TraceSummary } from '../../../src/analysis/result.ts';
import { summarise, summaryAsJson } from '../../../src/analysis/summary.ts';
import { type EventFilter, openTrace } from '../../../src/trace/open.ts';
import { fixture } from '../trace/fixtures.ts';
import { scratchDir } from '../trace/samples.ts';
import {
  interruptData,
  irqEntryData,
  type MadeEvent,
  madeRecording,
  switchData,
  taskName,
  wakeData,
} from './made-trace.ts';

async function summaryOf(test: TestContext, path: string, filter?: EventFilter): Promise<TraceSummary> {
  const trace = await openTrace(path);
  test.after(() => trace.close());
  return summarise(trace, filter);
}

async function bufferOf(
  test: TestContext,
  events: readonly MadeEvent[],
  clock?: string,
  filter?: EventFilter,
): Promise<BufferSummary> {
  const { buffers } = await summaryOf(test, await madeRecording(test, events, clock), filter);
  return buffers[0]!;
}

const preempted = [0n, 0x100n];
const sleeping = [1n, 2n, 0x80n, 16n];

/** A machine that runs tasks, and notes what a summary must say of them. */
class Machine {
  readonly events: MadeEvent[] = [];
  readonly runNs = new Map<number, number>();
  readonly switches = new Map<number, [voluntary: number, involuntary: number]>();
  readonly waits = new Map<number, number[]>();
  readonly interrupts = new Map<string, number[]>();
  #ns = 1_000_000;
  readonly #running: number[];
  readonly #since: number[];
  readonly #state = new Map<number, 'sleeps' | 'woken' | 'runnable' | 'runs'>();
  readonly #wokenAt = new Map<number, number>();
  readonly #lostNext: number[];

  constructor(cpus: number, tasks: number) {
    this.#running = Array.from({ length: cpus }, () => 0);
    this.#since = Array.from({ length: cpus }, () => Number.NaN);
    this.#lostNext = Array.from({ length: cpus }, () => 0);
    for (let pid = 1; pid <= tasks; pid++) this.#state.set(pid, 'sleeps');
  }

  step(kind: number, pick: number, deltaNs: number): void {
    this.#ns += deltaNs;
    const cpu = pick % this.#running.length;
    if (kind === 0 || kind === 1) this.#wake(cpu, pick);
    else if (kind < 5) this.#switch(cpu, pick);
    else if (kind === 5) this.#interrupt(cpu, pick);
    else this.#lose(cpu, pick);
  }

  end(): void {
    for (const [cpu, pid] of this.#running.entries()) this.#count(cpu, pid, this.events.at(-1)?.ns ?? 0);
  }

  #emit(cpu: number, data: Uint8Array): void {
    if (Number.isNaN(this.#since[cpu])) this.#since[cpu] = this.#ns;
    const lost = this.#lostNext[cpu]!;
    this.#lostNext[cpu] = 0;
    this.events.push({ cpu, ns: this.#ns, pid: this.#running[cpu]!, data, ...(lost > 0 ? { lost } : {}) });
  }

  #those(state: string): number[] {
    return [...this.#state].filter(([, each]) => each === state).map(([pid]) => pid);
  }

  #wake(cpu: number, pick: number): void {
    const asleep = this.#those('sleeps');
    const pid = asleep[pick % asleep.length];
    if (pid === undefined) return;
    this.#emit(cpu, wakeData('waking', this.#running[cpu]!, pid));
    this.#state.set(pid, 'woken');
    this.#wokenAt.set(pid, this.#ns);
    this.#ns += 100;
    if (pick % 3 > 0) this.#emit(cpu, wakeData('wakeup', this.#running[cpu]!, pid));
  }

  #switch(cpu: number, pick: number): void {
    const prev = this.#running[cpu]!;
    const ready = [...this.#those('woken'), ...this.#those('runnable'), 0];
    const next = ready[pick % ready.length]!;
    if (next === prev) return;
    const staysReady = pick % 2 === 0;
    const state = (staysReady ? preempted : sleeping)[pick % (staysReady ? 2 : 4)]!;
    this.#emit(cpu, switchData(prev, prev === 0 ? 0n : state, next));
    this.#count(cpu, prev, this.#ns);
    if (prev !== 0) {
      this.#state.set(prev, staysReady ? 'runnable' : 'sleeps');
      const counts = this.switches.get(prev) ?? [0, 0];
      counts[staysReady ? 1 : 0]++;
      this.switches.set(prev, counts);
    }
    this.#running[cpu] = next;
    this.#since[cpu] = this.#ns;
    const wokenAt = this.#wokenAt.get(next);
    if (wokenAt !== undefined) {
      this.#note(this.waits, next, this.#ns - wokenAt);
      this.#wokenAt.delete(next);
    }
    if (next !== 0) this.#state.set(next, 'runs');
  }

  /** A softirq, and perhaps an irq in it. */
  #interrupt(cpu: number, pick: number): void {
    const by = this.#running[cpu]!;
    const begun = this.#ns;
    const vector = pick % 10;
    this.#emit(cpu, interruptData('softirqEntry', by, vector));
    let nested = 0;
    if (pick % 2 === 0) {
      this.#ns += 500;
      this.#emit(cpu, irqEntryData(by, 7, 'disk'));
      nested = 1000 + (pick % 777);
      this.#ns += nested;
      this.#emit(cpu, interruptData('irqExit', by, 7));
      this.#note(this.interrupts, 'disk', nested);
    }
    this.#ns += 2000;
    this.#emit(cpu, interruptData('softirqExit', by, vector));
    this.#note(this.interrupts, String(vector), this.#ns - begun - nested);
  }

  /** Events of this CPU are lost: the run until its next event, and all waits until then, are not known. */
  #lose(cpu: number, pick: number): void {
    if (Number.isNaN(this.#since[cpu])) return;
    this.#lostNext[cpu] = 1 + (pick % 1000);
    this.#emit(cpu, wakeData('wakeup', this.#running[cpu]!, 0));
    this.#since[cpu] = this.#ns;
    this.#wokenAt.clear();
  }

  #count(cpu: number, pid: number, until: number): void {
    const since = this.#since[cpu]!;
    if (!Number.isNaN(since)) this.runNs.set(pid, (this.runNs.get(pid) ?? 0) + until - since);
  }

  #note<Key>(notes: Map<Key, number[]>, key: Key, ns: number): void {
    const values = notes.get(key);
    if (values === undefined) notes.set(key, [ns]);
    else values.push(ns);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

const steps = fc.array(fc.tuple(fc.nat(6), fc.nat(1 << 20), fc.integer({ min: 1, max: 3_000_000 })), {
  minLength: 30,
  maxLength: 300,
});

describe('summarise', () => {
  it('finds what a made machine did: runs, switches, waits, interrupts, losses', async (test) => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 6 }),
        async (all, cpus, tasks) => {
          const machine = new Machine(cpus, tasks);
          // the first event is a switch of CPU 0, so that there are run times
          machine.step(0, 0, 1);
          machine.step(2, 0, 1);
          for (const [kind, pick, ns] of all) machine.step(kind, pick, ns);
          machine.end();
          const found = await bufferOf(test, machine.events);
          assert.equal(found.events, machine.events.length);
          assert.equal(found.lost, BigInt(sum(machine.events.map(({ lost = 0 }) => lost))));
          assert.equal(found.idleNs, machine.runNs.get(0) ?? 0);
          const { runNs, switches, waits } = machine;
          const named = new Set([...runNs.keys(), ...switches.keys(), ...waits.keys()]);
          for (const pid of named) {
            if (pid === 0) continue;
            const task = found.tasks.find((each) => each.pid === pid);
            const [voluntary, involuntary] = switches.get(pid) ?? [0, 0];
            const ours = (waits.get(pid) ?? []).sort((a, b) => a - b);
            assert.deepEqual(
              [task?.runNs ?? 0, task?.voluntary ?? 0, task?.involuntary ?? 0],
              [runNs.get(pid) ?? 0, voluntary, involuntary],
            );
            assert.equal(task?.wakeups?.count ?? 0, ours.length);
            assert.equal(task?.wakeups?.worstNs ?? undefined, ours.at(-1));
            if (ours.length > 0) assert.equal(task?.wakeups?.p50Ns, ours[Math.ceil(ours.length / 2) - 1]);
            if (task !== undefined) assert.equal(task.task, taskName(pid));
          }
          for (const row of [...found.irqs, ...found.softirqs]) {
            const ours = machine.interrupts.get(row.name === 'disk' ? 'disk' : String(row.number))!;
            assert.deepEqual([row.own.count, row.totalNs], [ours.length, sum(ours)], row.name);
          }
          assert.equal(found.irqs.length + found.softirqs.length, machine.interrupts.size);
          assert.deepEqual([found.notCounted.slicesUnmatched, found.notCounted.interruptsUnmatched], [0, 0]);
        },
      ),
      { numRuns: 25 },
    );
  });

  const switchAt = (ns: number, prev: number, next: number, state = 1n, cpu = 0): MadeEvent => ({
    cpu,
    ns,
    pid: prev,
    data: switchData(prev, state, next),
  });
  const wakeAt = (ns: number, kind: 'waking' | 'wakeup', pid: number, cpu = 0): MadeEvent => ({
    cpu,
    ns,
    pid: 0,
    data: wakeData(kind, 0, pid),
  });

  it('does not take a wakeup of a running task for the begin of a wait', async (test) => {
    const { tasks } = await bufferOf(test, [
      switchAt(1000, 0, 5, 0n),
      // it was about to sleep, and is woken before it does
      wakeAt(2000, 'waking', 5),
      wakeAt(2100, 'wakeup', 5),
      switchAt(9000, 5, 0),
      wakeAt(50_000, 'waking', 5),
      switchAt(50_700, 0, 5, 0n),
    ]);
    const [task] = tasks;
    assert.deepEqual(task?.wakeups, { count: 1, p50Ns: 700, p99Ns: 700, worstNs: 700, exact: true });
    assert.deepEqual(task?.worstWakeup, {
      latencyNs: 700,
      at: 50_700n,
      cpu: 0,
      afterPid: 0,
      afterTask: '<idle>',
    });
  });

  it('measures from sched_wakeup where there is no sched_waking', async (test) => {
    const { wakeups } = await bufferOf(test, [
      switchAt(1000, 0, 4, 0n),
      wakeAt(2000, 'wakeup', 5),
      switchAt(2300, 4, 5),
      wakeAt(3000, 'wakeup', 4),
      switchAt(3900, 5, 4),
    ]);
    assert.deepEqual([wakeups?.count, wakeups?.worstNs], [2, 900]);
  });

  it('does not count a run whose begin is missing, and says so', async (test) => {
    const { tasks, notCounted, busyNs, idleNs } = await bufferOf(test, [
      switchAt(1000, 0, 4, 0n),
      switchAt(3000, 4, 5),
      switchAt(7000, 6, 4),
      switchAt(8000, 4, 0),
    ]);
    assert.deepEqual(notCounted, { ...notCounted, slicesUnmatched: 1, slicesAcrossLoss: 0 });
    assert.deepEqual([busyNs, idleNs], [3000, 0]);
    assert.deepEqual(
      tasks.map(({ pid, runNs }) => [pid, runNs]),
      [
        [4, 3000],
        [6, 0],
      ],
    );
  });

  it('says which events are missing, and gives what is there', async (test) => {
    const only = await bufferOf(test, [switchAt(1000, 0, 4, 0n), switchAt(3000, 4, 0)]);
    assert.deepEqual(
      only.missing.map(({ figures }) => figures),
      ['wakeup latencies', 'irq times', 'softirq times'],
    );
    assert.deepEqual([only.wakeups, only.wakeupHistogram, only.tasks[0]?.runNs], [null, [], 2000]);
    const none = await bufferOf(test, [wakeAt(1000, 'waking', 4)]);
    assert.match(none.missing[0]!.figures, /^run times/);
    assert.deepEqual([none.tasks, none.busyNs, none.wakeups, none.events], [[], null, null, 1]);
  });

  it('gives no times if the clock does not count time', async (test) => {
    const found = await bufferOf(
      test,
      [switchAt(1000, 0, 4, 0n), wakeAt(2000, 'waking', 5), switchAt(3000, 4, 5)],
      'counter',
    );
    const { timeUnit, spanNs, busyNs, wakeups, irqs, tasks } = found;
    assert.deepEqual([timeUnit, spanNs, busyNs, wakeups, irqs], [null, null, null, null, []]);
    assert.deepEqual(
      tasks.map(({ pid, runNs, voluntary }) => [pid, runNs, voluntary]),
      [
        [4, null, 1],
        [5, null, 0],
      ],
    );
  });

  it('counts what passes the filter only', async (test) => {
    const events = [
      switchAt(1000, 0, 4, 0n),
      switchAt(1500, 0, 9, 0n, 1),
      switchAt(3000, 4, 0),
      switchAt(4000, 9, 0, 1n, 1),
    ];
    const one = await bufferOf(test, events, 'global', { cpus: new Set([1]).values() });
    assert.deepEqual([one.events, one.cpus.map(({ cpu }) => cpu), one.busyNs], [2, [1], 2500]);
    const late = await bufferOf(test, events, 'global', { from: 3000n });
    assert.deepEqual([late.events, late.first], [2, 3000n]);
  });

  it('sums up the tasks beyond its limit', async (test) => {
    const events: MadeEvent[] = [];
    const count = 9000;
    for (let pid = 1; pid <= count; pid++) {
      events.push(wakeAt(pid * 1000 - 400, 'waking', pid), switchAt(pid * 1000, pid - 1, pid));
    }
    events.push(switchAt((count + 1) * 1000, count, 0));
    const { tasks, otherTasks, wakeups, busyNs } = await bufferOf(test, events);
    assert.equal(tasks.length, 8192);
    assert.deepEqual(
      { ...otherTasks, share: 0 },
      {
        pid: null,
        task: 'others',
        runNs: (count - 8192) * 1000,
        share: 0,
        voluntary: count - 8192,
        involuntary: 0,
        wakeups: null,
        worstWakeup: null,
      },
    );
    assert.deepEqual([wakeups?.count, busyNs], [8192, count * 1000]);
  });

  it('takes any pid and number for what it is', async (test) => {
    const { tasks, irqs, otherTasks } = await bufferOf(test, [
      switchAt(1000, 0, -1, 0n),
      { cpu: 0, ns: 1100, pid: -1, data: irqEntryData(0, -1, 'odd') },
      { cpu: 0, ns: 1300, pid: -1, data: interruptData('irqExit', 0, -1) },
      switchAt(2000, -1, 0x7fffffff),
      switchAt(2500, 0x7fffffff, 0),
    ]);
    assert.deepEqual(
      tasks.map(({ pid, runNs }) => [pid, runNs]),
      [
        [-1, 1000],
        [0x7fffffff, 500],
      ],
    );
    assert.deepEqual([irqs[0]?.number, irqs[0]?.name, irqs[0]?.totalNs, otherTasks], [-1, 'odd', 200, null]);
  });

  it('summarises each buffer of its own, and those that a filter names', async (test) => {
    const path = join(scratchDir(test), 'two.dat');
    writeFileSync(path, fixture('unusual/two-instances-v6.dat.gz'));
    const all = await summaryOf(test, path);
    assert.deepEqual(
      all.buffers.map(({ name, events }) => [name, events]),
      [
        ['', 231],
        ['inst', 116],
      ],
    );
    const { buffers } = await summaryOf(test, path, { buffers: ['inst'] });
    assert.deepEqual(buffers, [all.buffers[1]]);
    const json: unknown = summaryAsJson(all);
    assert.equal(Object(json).buffers[0].first, String(all.buffers[0]?.first));
  });
});
