import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CpuEvent,
  type CpuModel,
  type CpuState,
  type Effect,
  newCpu,
  type Step,
  step,
} from '../../../../src/supervisor/workers/cpu-machine.ts';

const states = {
  absent: { kind: 'absent' },
  waiting: { kind: 'waiting', why: 'missing', reason: 'no port', tries: 1 },
  queued: { kind: 'queued' },
  starting: { kind: 'starting' },
  ready: { kind: 'ready' },
  running: { kind: 'running' },
  stopping: { kind: 'stopping' },
  parting: { kind: 'parting', what: 'port' },
  leaving: { kind: 'leaving' },
  'backing-off': { kind: 'backing-off' },
  failed: { kind: 'failed' },
  ended: { kind: 'ended' },
} as const satisfies Record<CpuState['kind'], CpuState>;

const events = {
  open: { kind: 'open' },
  ready: { kind: 'ready' },
  stopped: { kind: 'stopped', id: 7, flushed: true },
  gone: { kind: 'gone', what: 'ring' },
  crash: { kind: 'exited', clean: false, restartMs: 100 },
  'last crash': { kind: 'exited', clean: false, restartMs: undefined },
  'clean exit': { kind: 'exited', clean: true, restartMs: undefined },
  timer: { kind: 'timer' },
  run: { kind: 'run' },
  stop: { kind: 'stop', id: 8 },
  leave: { kind: 'leave', heldBytes: 0 },
  'leave, pipe full': { kind: 'leave', heldBytes: 4096 },
} as const satisfies Record<string, CpuEvent>;

function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): Key[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the literals above have no other keys
  return Object.keys(record) as Key[];
}

/** A step in one line: the new state, then the effects. */
function shown({ cpu, effects }: Step): string {
  return [cpu.state.kind, ...effects.map(shownEffect)].join(' ');
}

function shownEffect(effect: Effect): string {
  switch (effect.kind) {
    case 'close':
      return `close-${effect.what}`;
    case 'timer':
      return `timer-${effect.ms}`;
    case 'send-stop':
      return `send-stop-${effect.id}`;
    case 'report-stop':
      return `${effect.outcome}-${effect.id}`;
    case 'say-waiting':
      return `say:${effect.reason}`;
    case 'open':
    case 'fork':
    case 'send-start':
    case 'send-leave':
      return effect.kind;
    default:
      return effect satisfies never;
  }
}

type Row = Readonly<Partial<Record<keyof typeof events, string>>>;

/** Checks a row; an event that is not in the row must change no state and have no effect. */
function checkRow(cpu: CpuModel, row: Row, among = keysOf(events)): void {
  for (const name of among) {
    const expected = row[name] ?? cpu.state.kind;
    assert.equal(shown(step(cpu, events[name])), expected, `${cpu.state.kind} and ${name}`);
  }
}

/** A CPU that was ordered to run and not stopped since. */
const toRun: CpuModel = { ...newCpu, wanted: 'run', owesFlush: true };

describe('a CPU that was ordered to run, by state and event', () => {
  const table: Record<CpuState['kind'], Row> = {
    absent: {
      open: 'absent open',
      stop: 'absent unreachable-8',
      leave: 'ended close-all',
      'leave, pipe full': 'ended close-all',
    },
    waiting: {
      timer: 'waiting open',
      stop: 'waiting unreachable-8',
      leave: 'ended close-all',
      'leave, pipe full': 'ended close-all',
    },
    queued: {
      crash: 'backing-off timer-100',
      'last crash': 'failed',
      leave: 'ended close-all',
    },
    starting: {
      ready: 'running send-start',
      crash: 'backing-off timer-100',
      'last crash': 'failed',
    },
    ready: {
      crash: 'backing-off timer-100',
      'last crash': 'failed',
      run: 'running send-start',
      stop: 'stopping send-stop-8',
      leave: 'leaving send-leave',
      'leave, pipe full': 'leaving send-leave',
    },
    running: {
      crash: 'backing-off timer-100',
      'last crash': 'failed',
      stop: 'stopping send-stop-8',
      leave: 'leaving send-leave',
      'leave, pipe full': 'leaving send-leave',
    },
    stopping: {
      crash: 'backing-off timer-100',
      'last crash': 'failed',
      run: 'running send-start',
      stop: 'stopping send-stop-8',
      leave: 'leaving send-leave',
      'leave, pipe full': 'leaving send-leave',
    },
    parting: {
      crash: 'absent close-port open',
      'last crash': 'absent close-port open',
      'clean exit': 'absent close-port open',
    },
    leaving: {
      crash: 'backing-off timer-100',
      'last crash': 'failed',
      'clean exit': 'ended close-all',
      stop: 'leaving unreachable-8',
    },
    'backing-off': { timer: 'queued fork', leave: 'ended close-all' },
    failed: { stop: 'failed unreachable-8', leave: 'ended close-all', 'leave, pipe full': 'ended close-all' },
    ended: { open: 'absent open', stop: 'ended unreachable-8' },
  };
  // Only a living worker reports that ring or port is gone, or exits cleanly; a clean exit without an order is a
  // crash.
  const alive = new Set<CpuState['kind']>(['starting', 'ready', 'running', 'stopping', 'leaving']);
  for (const kind of keysOf(table)) {
    it(kind, () => {
      const unasked = alive.has(kind) && kind !== 'leaving';
      const living: Row = alive.has(kind) ? { gone: 'parting' } : {};
      const among = keysOf(events).filter(
        (name) =>
          (name !== 'gone' || alive.has(kind)) && (name !== 'clean exit' || (!unasked && kind !== 'queued')),
      );
      checkRow({ ...toRun, state: states[kind] }, { ...living, ...table[kind] }, among);
    });
  }
});

describe('the order for a worker that is ready', () => {
  const cases: [string, Partial<CpuModel>, string][] = [
    ['to run', { wanted: 'run' }, 'running send-start'],
    ['nothing', { wanted: 'stop', stopId: undefined }, 'ready'],
    [
      'to stop, when its predecessor died before it could',
      { wanted: 'stop', stopId: 7 },
      'stopping send-stop-7',
    ],
    ['to leave', { wanted: 'leave', stopId: 7 }, 'leaving send-leave'],
  ];
  for (const [what, model, expected] of cases) {
    it(what, () => {
      assert.equal(shown(step({ ...toRun, ...model, state: states.starting }, events.ready)), expected);
    });
  }
});

describe('a stop', () => {
  const stopping: CpuModel = { ...toRun, wanted: 'stop', stopId: 7, state: states.stopping };

  it('is answered when the worker reports it, and then owes no flush', () => {
    const next = step(stopping, events.stopped);
    assert.equal(shown(next), 'ready flushed-7');
    assert.equal(shown(step(next.cpu, events.stop)), 'ready idle-8');
  });

  it('that timed out still owes its flush to the next stop', () => {
    const next = step(stopping, { kind: 'stopped', id: 7, flushed: false });
    assert.equal(shown(next), 'ready timed-out-7');
    assert.equal(shown(step(next.cpu, events.stop)), 'stopping send-stop-8');
  });

  it('that could not reach ring or port still owes its flush to the next stop', () => {
    const next = step({ ...toRun, state: states.waiting }, events.stop);
    assert.equal(shown(next), 'waiting unreachable-8');
    assert.equal(shown(step(next.cpu, { kind: 'stop', id: 9 })), 'waiting unreachable-9');
  });

  it("is not answered by a worker's report about an earlier one", () => {
    assert.equal(shown(step(stopping, { kind: 'stopped', id: 6, flushed: true })), 'stopping');
  });

  it('ends with a later start, and the late answer is not taken for that of a later stop', () => {
    const next = step(stopping, events.run);
    assert.equal(shown(next), 'running superseded-7 send-start');
    assert.equal(shown(step(next.cpu, events.stopped)), 'running');
  });

  for (const kind of ['queued', 'starting', 'parting', 'backing-off'] as const) {
    it(`waits for the next worker: ${kind}`, () => {
      const next = step({ ...toRun, state: states[kind] }, events.stop);
      assert.equal(shown(next), kind);
      assert.equal(next.cpu.stopId, 8);
      assert.equal(shown(step(next.cpu, events.run)), `${kind} superseded-8`);
    });
  }

  for (const kind of keysOf(states)) {
    it(`finds a CPU idle that was never ordered to run: ${kind}`, () => {
      assert.equal(shown(step({ ...newCpu, state: states[kind] }, events.stop)), `${kind} idle-8`);
    });
  }

  it('is answered when the port or ring does not come back', () => {
    const next = step(
      { ...stopping, state: states.absent },
      { kind: 'unavailable', why: 'missing', reason: 'no port' },
    );
    assert.equal(shown(next), 'waiting unreachable-7 say:no port timer-100');
  });

  it('is answered when several workers find port or ring dead: otherwise it would never end', () => {
    const again = [
      events.crash,
      { kind: 'opened' },
      events.timer,
      { kind: 'spawned' },
      events.ready,
    ] as const;
    let cpu = stopping;
    for (const how of [
      'stopping send-stop-7',
      'stopping send-stop-7',
      'absent unreachable-7 close-ring open',
    ]) {
      const steps = [events.gone, ...again].map((event) => {
        const next = step(cpu, event);
        cpu = next.cpu;
        return shown(next);
      });
      assert.ok(steps.includes(how), `${how}: ${steps.join(', ')}`);
    }
    assert.deepEqual([cpu.state.kind, cpu.stopId, cpu.owesFlush], ['ready', undefined, true]);
    assert.equal(shown(step(cpu, events.stop)), 'stopping send-stop-8');
  });

  it('is answered when its CPU is given up or ends', () => {
    assert.equal(shown(step(stopping, events['last crash'])), 'failed unreachable-7');
    const leaving = step(stopping, events.leave);
    assert.equal(shown(leaving), 'leaving send-leave');
    assert.equal(shown(step(leaving.cpu, events['clean exit'])), 'ended unreachable-7 close-all');
  });
});

describe('leaving', () => {
  const leaving: CpuModel = { ...toRun, wanted: 'leave', state: states.leaving };

  it('with a full pipe waits for a worker to empty it', () => {
    for (const kind of ['queued', 'backing-off'] as const) {
      const next = step({ ...toRun, state: states[kind] }, events['leave, pipe full']);
      assert.equal(shown(next), kind);
      assert.equal(next.cpu.wanted, 'leave');
    }
  });

  it('continues after a crash: the successor empties the pipe', () => {
    const next = step(leaving, events.crash);
    assert.equal(shown(next), 'backing-off timer-100');
    assert.equal(next.cpu.wanted, 'leave');
  });

  it('ends also when the worker is given up meanwhile', () => {
    for (const kind of ['starting', 'leaving', 'queued'] as const) {
      assert.equal(shown(step({ ...leaving, state: states[kind] }, events['last crash'])), 'ended close-all');
    }
  });

  it('ends when the port dies meanwhile, without opening it again', () => {
    const parting = step(leaving, events.gone);
    assert.equal(shown(step(parting.cpu, events.crash)), 'ended close-all');
  });

  it('opens everything again, with no state left from before', () => {
    const { cpu } = step(leaving, events['clean exit']);
    assert.deepEqual(step(cpu, events.open).cpu, newCpu);
  });
});

describe('a port that is missing', () => {
  it('is retried, later each time, and its reason is reported once, whatever its wording', () => {
    let cpu: CpuModel = { ...toRun, state: states.absent };
    const waits: (string | number)[] = [];
    for (const reason of ['busy: a', 'busy: b', 'busy: a', 'missing', 'missing', 'missing', 'busy: a']) {
      const [why = reason] = reason.split(':');
      const next = step(cpu, { kind: 'unavailable', why, reason });
      cpu = next.cpu;
      for (const effect of next.effects) {
        if (effect.kind === 'say-waiting') waits.push(effect.reason);
        if (effect.kind === 'timer') waits.push(effect.ms);
      }
    }
    assert.deepEqual(waits, ['busy: a', 100, 200, 400, 'missing', 800, 1000, 1000, 'busy: a', 1000]);
  });

  it('is not retried while leaving', () => {
    const cpu: CpuModel = { ...toRun, wanted: 'leave', state: states.absent };
    assert.equal(
      shown(step(cpu, { kind: 'unavailable', why: 'missing', reason: 'no port' })),
      'ended close-all',
    );
  });

  it('that disappears and is back at once is opened at once; the next worker starts when the policy allows', () => {
    const parting: CpuModel = { ...toRun, stopId: 7, state: states.parting };
    const exited = step(parting, events.crash);
    assert.equal(shown(exited), 'absent close-port open');
    const opened = step(exited.cpu, { kind: 'opened' });
    assert.equal(shown(opened), 'backing-off timer-100');
    assert.equal(opened.cpu.stopId, 7);
    assert.equal(shown(step(opened.cpu, events.timer)), 'queued fork');
  });

  it('that was missing for a while causes no further restart delay', () => {
    const exited = step({ ...toRun, state: states.parting }, events.crash);
    const away = step(exited.cpu, { kind: 'unavailable', why: 'missing', reason: 'no port' });
    assert.equal(shown(step(away.cpu, { kind: 'opened' })), 'queued fork');
  });

  it('that appears gets a worker', () => {
    assert.equal(shown(step({ ...toRun, state: states.waiting }, { kind: 'opened' })), 'queued fork');
    assert.equal(shown(step({ ...toRun, state: states.queued }, { kind: 'spawned' })), 'starting');
  });
});
