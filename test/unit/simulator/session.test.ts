import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { openSession } from '../../../src/trace/session.ts';
import { anyFaults, anySession } from '../../simulator/session/any-session.ts';
import { plainGuest, plainHost, type SessionOptions } from '../../simulator/session/options.ts';
import { type SimulatedSession, simulateSession } from '../../simulator/session/simulate.ts';
import { writeSession } from '../../simulator/session/trace/session-files.ts';
import { scratchDir } from '../trace/samples.ts';
import { thorough } from '../../set.ts';

const runs = thorough(300);

/** A host and guests in which everything happens. */
function busy(seed: number, more: Partial<SessionOptions> = {}): SessionOptions {
  return {
    seed,
    durationNs: 2e7,
    host: { ...plainHost, hogs: 2 },
    guests: [
      { ...plainGuest, pauses: [{ at: 5_000_000, ns: 3_000_000 }] },
      { ...plainGuest, name: 'db', ratePpm: -200, throttle: { everyNs: 5e6, ns: 1e6 }, wanderPpm: 1 },
      { ...plainGuest, name: 'mail', hasKvm: false, timerByThread: true, ratePpm: 200 },
    ],
    ...more,
  };
}

function digest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function assertWhole(spans: readonly Span[], from: number, to: number, what: string): void {
  let at = from;
  for (const span of spans) {
    assert.equal(span.from, at, what);
    assert.ok(span.to > span.from, what);
    at = span.to;
  }
  assert.equal(at, to, what);
}

interface ReadEvent {
  readonly time: number;
  readonly machine: string;
  readonly cpu: number;
  readonly name: string;
  readonly pid: number;
  readonly lost: boolean;
  readonly fields: Readonly<Record<string, unknown>>;
}

async function readBack(dir: string, session: SimulatedSession): Promise<ReadEvent[]> {
  const opened = await openSession(await writeSession(mkdtempSync(join(dir, 's-')), session));
  assert.deepEqual(
    opened.machines.map(({ name, hasHostTimes, vcpuTids }) => [name, hasHostTimes, [...vcpuTids.values()]]),
    [['host', true, []], ...session.guests.map(({ name, tids }) => [name, true, tids])],
  );
  const events: ReadEvent[] = [];
  for await (const batch of opened.events())
    for (const event of batch) {
      const { timestamp, machine, cpu, name, pid, lost } = event;
      const { fields } = event.toObject();
      events.push({ time: Number(timestamp), machine, cpu, name, pid, lost: lost !== undefined, fields });
    }
  await opened.close();
  return events;
}

/** The events that everyone must read back, of a busy session without faults. */
async function read(test: TestContext, options: SessionOptions): Promise<[SimulatedSession, ReadEvent[]]> {
  const session = simulateSession(options);
  return [session, await readBack(scratchDir(test), session)];
}

describe('a simulated session', () => {
  it('has a state for every nanosecond, and one cause for every nanosecond of a wait', () => {
    fc.assert(
      fc.property(anySession(anyFaults), (options) => {
        const { truth } = simulateSession(options);
        const { from, to } = truth;
        assert.equal(to - from, options.durationNs);
        for (const { machine, cpu, spans } of [...truth.hostCpus, ...truth.guestCpus, ...truth.vcpus])
          assertWhole(spans, from, to, `${machine} ${cpu}`);
        for (const { due, begin, end, causes, kind, tid, machine } of truth.waits) {
          assertWhole(causes, due, end, `${machine} ${tid}`);
          assert.ok(due <= begin && begin <= end && from <= due && end <= to);
          for (const cause of causes) {
            const isOwn = cause.machine === machine && cause.tid === tid && cause.kind === 'guest-task';
            assert.ok(!isOwn, 'a task waits for itself');
            // while a CPU is stolen its guest does nothing
            if (kind === 'stolen') assert.ok(!cause.kind.startsWith('guest-'), cause.kind);
            if (kind === 'interrupted') assert.match(cause.kind, /^guest-(?:soft)?irq$/);
          }
        }
      }),
      { numRuns: runs, includeErrorInReport: true },
    );
  });

  it('is the same for the same seed, and another one for another seed', () => {
    const options = busy(7, { faults: { hostLoss: 0.01 } });
    const [one, two, other] = [options, options, { ...options, seed: 8 }].map((each) => {
      const { host, guests, truth } = simulateSession(each);
      return [host, ...guests]
        .flatMap(({ pages }) => pages.map(digest))
        .concat(digest(JSON.stringify(truth)));
    });
    assert.deepEqual(two, one);
    assert.notDeepEqual(other, one);
  });

  it('has all that can be the cause of a wait', () => {
    const kinds = new Set<string>();
    const waits = new Set<string>();
    for (let seed = 0; seed < 4; seed++)
      for (const { causes, kind, isDue, places } of simulateSession(busy(seed)).truth.waits) {
        waits.add(isDue ? `${kind} due` : kind);
        if (places.length > 1) waits.add('migrated');
        for (const { kind } of causes) kinds.add(kind);
      }
    assert.deepEqual([...kinds].toSorted(), [
      'asleep',
      'guest-irq',
      'guest-kernel',
      'guest-softirq',
      'guest-task',
      'host-irq',
      'host-softirq',
      'hypervisor',
      'other-vcpu',
      'paused',
      'preempted',
      'woken-behind',
    ]);
    assert.deepEqual([...waits].toSorted(), [
      'interrupted',
      'migrated',
      'preempted',
      'stolen',
      'wakeup',
      'wakeup due',
    ]);
  });
});

describe('the causes of a wait', () => {
  it('on a host with one CPU are what is current there, unless the vCPU sleeps', () => {
    const { truth } = simulateSession({
      seed: 5,
      durationNs: 1e8,
      host: { cpus: 1, tasks: 1, hogs: 1, pinned: 0, irqEveryNs: Infinity, balanceEveryNs: Infinity },
      guests: [{ ...plainGuest, vcpus: 1, tasks: 2, hogs: 0 }],
    });
    const { spans } = truth.hostCpus[0]!;
    const vcpu = truth.vcpus[0]!.tid;
    const behind = new Set<string>();
    for (const { kind, from, to, tid, comm } of truth.waits.flatMap(({ causes }) => causes)) {
      const current = spans.filter((span) => span.from < to && span.to > from).map((span) => span.tid);
      if (kind === 'preempted' || kind === 'woken-behind') {
        behind.add(comm);
        assert.ok(tid !== vcpu && current.every((each) => each === tid), `${kind} ${comm}`);
      } else if (kind === 'asleep') assert.ok(!current.includes(vcpu));
      else
        assert.ok(
          current.every((each) => each === vcpu),
          kind,
        );
    }
    assert.ok(behind.has('hog-1') && behind.has('task-0'), [...behind].join());
  });
});

describe('the recordings of a simulated session', () => {
  it('are read back as one stream in the order of time, with all events of all machines', async (test) => {
    const [session, events] = await read(test, busy(1));
    assert.equal(events.length, session.events);
    assert.ok(events.length > 2000, `${events.length}`);
    for (const [index, { time }] of events.entries())
      assert.ok(index === 0 || events[index - 1]!.time <= time);
    assert.deepEqual(new Set(events.map(({ machine }) => machine)), new Set(['host', 'web', 'db', 'mail']));
  });

  it('tell each switch where the truth has one, and what is current', async (test) => {
    const dir = scratchDir(test);
    await fc.assert(
      fc.asyncProperty(anySession(), async (options) => {
        const session = simulateSession(options);
        const events = await readBack(dir, session);
        assert.equal(events.length, session.events);
        assertSwitches(session, events);
        assertKvm(session, events);
        assertThreads(session, events);
      }),
      { numRuns: thorough(100), includeErrorInReport: true },
    );
  });

  it('lack what was lost, with a mark, and what is not recorded', async (test) => {
    const faults = {
      hostLoss: 0.03,
      guestLoss: 0.03,
      lossLength: 10,
      noSwitchFromIdle: [1],
      hostWithout: ['softirq'],
      guestsWithout: ['hrtimer'],
    } as const;
    const [session, events] = await read(test, busy(4, { faults }));
    const { lost, missing } = session.truth;
    const hostEvents = events.filter(({ machine }) => machine === 'host');
    const gapsOf = (machine: string): string[] =>
      lost
        .filter((gap) => gap.machine === machine && gap.to < session.truth.to)
        .map(({ cpu, to }) => `${cpu} ${to}`)
        .sort();
    const marks = hostEvents.filter((event) => event.lost).map(({ cpu, time }) => `${cpu} ${time}`);
    assert.deepEqual(marks.toSorted(), gapsOf('host'));
    assert.ok(marks.length > 5);
    const guestMarks = events.filter((event) => event.lost && event.machine === 'web');
    assert.ok(guestMarks.length > 0 && guestMarks.length === gapsOf('web').length);

    assert.ok(missing.length > 5 && missing.every(({ machine, cpu }) => machine === 'host' && cpu === 1));
    const fromIdle = hostEvents.filter(
      ({ name, fields }) => name === 'sched:sched_switch' && fields['prev_pid'] === 0,
    );
    assert.ok(fromIdle.length > 5 && fromIdle.every(({ cpu }) => cpu !== 1));
    // its events carry the pid of the task whose switch is missing
    for (const { cpu, to } of missing) {
      const { pid } = hostEvents.find((event) => event.cpu === cpu && event.time === to)!;
      assert.ok(pid === currentAt(session, 'host', cpu, to - 1).tid || pid === 0);
    }
    const names = (machine: string): Set<string> =>
      new Set(events.filter((event) => event.machine === machine).map(({ name }) => name));
    assert.ok(!names('host').has('irq:softirq_entry') && names('web').has('irq:softirq_entry'));
    assert.ok(!names('web').has('timer:hrtimer_expire_entry'));
    const knowable = session.knowable();
    assert.equal(knowable.length, session.truth.waits.length);
    for (const [index, { due, begin, end, causes, isDue }] of knowable.entries()) {
      assertWhole(causes, begin, end, 'knowable');
      assert.ok(due === begin && !isDue && causes.every(({ kind }) => kind !== 'host-softirq'));
      assert.equal(end, session.truth.waits[index]!.end);
    }
  });

  it('say when a timer was due', async (test) => {
    const [session, events] = await read(test, busy(2));
    const dues = session.truth.waits.filter(({ isDue, machine }) => isDue && machine === 'db');
    const starts = new Map<unknown, bigint>();
    const found: number[] = [];
    for (const { machine, name, fields, time } of events) {
      if (machine !== 'db') continue;
      if (name === 'timer:hrtimer_start') starts.set(fields['hrtimer'], bigintOf(fields['expires']));
      if (name === 'timer:hrtimer_expire_entry') {
        const expires = starts.get(fields['hrtimer'])!;
        found.push(time - Number(bigintOf(fields['now']) - expires));
      }
    }
    assert.ok(dues.length > 10);
    // a rate of 200 ppm counts while the timer is late
    for (const { due, end } of dues)
      assert.ok(found.some((each) => Math.abs(each - due) <= 5 + (end - due) * 2.1e-4));
  });
});

function bigintOf(value: unknown): bigint {
  assert.ok(typeof value === 'bigint');
  return value;
}

/** The span of a CPU at a time. */
function currentAt({ truth }: SimulatedSession, machine: string, cpu: number, time: number) {
  const own = [...truth.hostCpus, ...truth.guestCpus].find(
    (each) => each.machine === machine && each.cpu === cpu,
  )!;
  return own.spans.find(({ from, to }) => from <= time && time < to)!;
}

/** Switches and edges of spans are the same, and each event has the pid of what is current. */
function assertSwitches({ truth, options }: SimulatedSession, events: readonly ReadEvent[]): void {
  const slack = new Map([
    ['host', 0],
    ...options.guests.map(({ name, clockErrorNs }) => [name, clockErrorNs + 3] as const),
  ]);
  for (const { machine, cpu, spans } of [...truth.hostCpus, ...truth.guestCpus]) {
    const edges = spans.flatMap(({ from, tid }, index) => {
      const prev = spans[index - 1];
      return prev === undefined || prev.tid === tid ? [] : [{ time: from, prev: prev.tid, next: tid }];
    });
    const own = events.filter((event) => event.machine === machine && event.cpu === cpu);
    const switches = own.filter(({ name }) => name === 'sched:sched_switch');
    assert.equal(switches.length, edges.length, `${machine} ${cpu}`);
    let current = 0;
    for (const { name, pid, fields, time } of own) {
      assert.equal(pid, current, `${name} of ${machine} ${cpu}`);
      if (name !== 'sched:sched_switch') continue;
      const edge = edges.shift()!;
      assert.ok(Math.abs(time - edge.time) <= slack.get(machine)!, `${time - edge.time}`);
      assert.deepEqual([fields['prev_pid'], fields['next_pid']], [edge.prev, edge.next]);
      current = edge.next;
    }
  }
}

/** Guest code runs from kvm_entry to kvm_exit. */
function assertKvm({ truth, options }: SimulatedSession, events: readonly ReadEvent[]): void {
  for (const { machine, tid, spans } of truth.vcpus) {
    const { hasKvm } = options.guests.find(({ name }) => name === machine)!;
    const own = events.filter((event) => event.machine === 'host' && event.pid === tid);
    const times = (name: string): number[] =>
      own.filter((event) => event.name === name).map(({ time }) => time);
    const runs = hasKvm ? spans.filter(({ state }) => state === 'guest') : [];
    const entries = new Set(times('kvm:kvm_entry'));
    const exits = new Set(times('kvm:kvm_exit'));
    for (const { from, to } of runs) {
      assert.ok(entries.has(from), `${machine} entered`);
      // a pause ends it at once, the exit follows
      const isPaused = truth.pauses.some((pause) => pause.machine === machine && pause.from === to);
      assert.ok(exits.has(to) || isPaused || to === truth.to, `${machine} exited`);
    }
    if (!hasKvm) assert.equal(entries.size + exits.size, 0);
  }
}

/** A vCPU's thread sleeps, is woken, and is preempted where the host's events say so, and in no other order. */
function assertThreads({ truth }: SimulatedSession, events: readonly ReadEvent[]): void {
  const onHost = events.filter(({ machine }) => machine === 'host');
  for (const { tid, spans } of truth.vcpus) {
    const begins = new Map(spans.map(({ from, state }) => [from, state]));
    let state: ThreadState = 'asleep';
    for (const [time, changes] of changesOf(tid, onHost)) {
      // events of several CPUs at one time are in no order: the next one is one that can happen
      while (changes.length > 0) {
        const index = changes.findIndex(({ from }) => from.includes(state));
        assert.ok(index >= 0, `${tid} is ${state}, and becomes ${changes.map(({ to }) => to).join()}`);
        state = changes.splice(index, 1)[0]!.to;
      }
      // a state of no time is not in the truth, nor one of a paused guest
      const truly = begins.get(time);
      if (truly !== undefined && truly !== 'paused')
        assert.equal(offStates.includes(truly) ? truly : 'on', state);
    }
  }
}

type ThreadState = 'on' | 'asleep' | 'woken' | 'preempted';

interface ThreadChange {
  /** In which states it can happen. */
  readonly from: readonly ThreadState[];
  readonly to: ThreadState;
}

const offStates: readonly string[] = ['asleep', 'woken', 'preempted'];

/** What the host's events say of a thread, by time. */
function changesOf(tid: number, onHost: readonly ReadEvent[]): Map<number, ThreadChange[]> {
  const changes = new Map<number, ThreadChange[]>();
  for (const { name, fields, time } of onHost) {
    let change: ThreadChange | undefined;
    if (name === 'sched:sched_switch' && fields['prev_pid'] === tid)
      change = { from: ['on'], to: fields['prev_state'] === 1n ? 'asleep' : 'preempted' };
    else if (name === 'sched:sched_switch' && fields['next_pid'] === tid)
      change = { from: ['woken', 'preempted'], to: 'on' };
    else if (name === 'sched:sched_waking' && fields['pid'] === tid)
      change = { from: ['asleep'], to: 'woken' };
    if (change !== undefined) changes.set(time, [...(changes.get(time) ?? []), change]);
  }
  return changes;
}
