import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../../../../src/base/failure.ts';
import type { TraceRequest } from '../../../../src/protocol/control.ts';
import { EventNames, knownEvents, type Skipping } from '../../../../src/host/events/event-names.ts';

const kernel: Readonly<Record<string, readonly string[]>> = {
  sched: ['sched_switch', 'sched_waking', 'sched_wakeup', 'sched_stat_wait'],
  irq: ['irq_handler_entry', 'irq_handler_exit', 'softirq_exit'],
  syscalls: ['sys_enter_read', 'sys_exit_read'],
  raw_syscalls: ['sys_enter', 'sys_exit'],
  user_events: ['a+b', 'a,b', 'odd[name]'],
  // like rtla's timerlat, an event of system ftrace, which is written by a tracer
  ftrace: ['print', 'function'],
};
const known = knownEvents([
  'events/header_page',
  'kallsyms',
  ...Object.entries(kernel).flatMap(([system, events]) =>
    events.map((event) => `events/${system}/${event}/format`),
  ),
]);

function resolve(request: TraceRequest, skipping?: Skipping): TraceRequest {
  return new EventNames(known, skipping).resolve(request);
}

function events(...names: string[]): readonly string[] {
  return (resolve({ events: names }).events ?? []).toSorted();
}

const everything = ['irq', 'raw_syscalls', 'sched', 'syscalls', 'user_events'];

describe('names of events', () => {
  it('that the guest knows are unchanged', () => {
    assert.deepEqual(events('sched', 'irq:irq_handler_entry'), ['irq:irq_handler_entry', 'sched']);
    assert.deepEqual(events('user_events:a+b', 'user_events:a,b', 'user_events:odd[name]'), [
      'user_events:a+b',
      'user_events:a,b',
      'user_events:odd[name]',
    ]);
  });

  it('may omit the system, or contain a slash', () => {
    assert.deepEqual(events('sched_switch', 'sched/sched_waking'), [
      'sched:sched_switch',
      'sched:sched_waking',
    ]);
    assert.deepEqual(events('a+b'), ['user_events:a+b']);
  });

  it('may have all the forms that set_event and trace-cmd accept', () => {
    for (const all of ['all', '*', '*:*', '*/*', ':', ':*']) assert.deepEqual(events(all), everything, all);
    for (const sched of ['sched', 'sched:', 'sched:*', 'sched/*', 'sch?d', 'sched:sched_*'])
      assert.deepEqual(events(sched), ['sched'], sched);
    assert.deepEqual(events(':sched_switch'), ['sched:sched_switch']);
    assert.deepEqual(events('irq:irq_handler_*'), ['irq:irq_handler_entry', 'irq:irq_handler_exit']);
    assert.deepEqual(events('sched:sched_wak[i]*'), ['sched:sched_waking']);
    assert.deepEqual(events('*:sys_enter*'), ['raw_syscalls:sys_enter', 'syscalls:sys_enter_read']);
    assert.deepEqual(events('sched_switch,irq', 'irq:softirq_e[wx]it,sched_waking'), [
      'irq',
      'irq:softirq_exit',
      'sched:sched_switch',
      'sched:sched_waking',
    ]);
  });

  it('match events or systems when they have no colon', () => {
    assert.deepEqual(events('*sys*'), ['raw_syscalls', 'syscalls']);
    assert.deepEqual(events('*_exit*'), [
      'irq:irq_handler_exit',
      'irq:softirq_exit',
      'raw_syscalls:sys_exit',
      'syscalls:sys_exit_read',
    ]);
  });

  it("of a whole system become the system's name, so that an order for everything is short", () => {
    assert.deepEqual(events('irq:*_*'), ['irq']);
  });

  it('that the guest does not have are left to the guest, if it can suggest similar ones', () => {
    assert.deepEqual(events('sched_swich', 'sched:nothing'), ['sched:nothing', 'sched_swich']);
    for (const pattern of ['prin?', 'sched:x*', ':nothing', 'nothing:', 'ftrace:*']) {
      assert.throws(
        () => events(pattern),
        (error) => error instanceof Failure && error.message.includes(`no event "${pattern}"`),
      );
    }
  });

  it('that the guest does not have are skipped if requested, and reported once', () => {
    const skipped: string[] = [];
    const request = resolve(
      {
        events: ['sched_switch', 'nope,irq'],
        eventsOff: ['nope'],
        filters: { nope: 'a == 1', irq: 'irq > 1' },
      },
      { mayLack: () => true, skip: (name) => skipped.push(name) },
    );
    assert.deepEqual(request, {
      events: ['sched:sched_switch', 'irq'],
      eventsOff: [],
      filters: { irq: 'irq > 1' },
    });
    assert.deepEqual(skipped, ['nope']);
  });

  it('that the guest may not lack are errors, though others are skipped', () => {
    const skipped: string[] = [];
    const skipping: Skipping = {
      mayLack: (asked) => asked === 'nope,irq',
      skip: (name) => skipped.push(name),
    };
    assert.deepEqual(resolve({ events: ['sched_switch', 'nope,irq'] }, skipping).events, [
      'sched:sched_switch',
      'irq',
    ]);
    assert.deepEqual(skipped, ['nope']);
    const asked = ['nope,irq', 'nope*'];
    assert.throws(() => resolve({ events: asked }, skipping), /kernel has no event "nope\*"/);
  });

  it('that refer to the same event are combined', () => {
    const { filters, triggers } = resolve({
      filters: { sched_switch: 'a == 1', 'sched:sched_switc?': 'b == 2', irq: 'c' },
      triggers: { 'irq_*': ['stacktrace'], 'irq:irq_handler_entry': ['traceoff', 'stacktrace'] },
    });
    assert.deepEqual(filters, { 'sched:sched_switch': '(a == 1) && (b == 2)', irq: 'c' });
    assert.deepEqual(triggers, {
      'irq:irq_handler_entry': ['stacktrace', 'traceoff'],
      'irq:irq_handler_exit': ['stacktrace'],
    });
  });

  it('may be separated by blanks, but a comma needs a name on both sides', () => {
    assert.deepEqual(events('irq sched_switch', 'raw_syscalls,'), [
      'irq',
      'raw_syscalls',
      'sched:sched_switch',
    ]);
    assert.throws(() => events(','), /an event without a name/);
  });

  it('that no kernel has are ignored, however long they are', () => {
    const odd = knownEvents([
      'events/a/b c/format',
      `events/a/${'x'.repeat(300)}/format`,
      'events/a/good/format',
    ]);
    assert.deepEqual(new EventNames(odd).resolve({ events: ['*'] }).events, ['a']);
    assert.deepEqual([...(odd.get('a') ?? [])], ['good']);
  });

  it('with more filters or triggers than a guest accepts are refused before the order is sent', () => {
    const many = knownEvents(
      Array.from({ length: 600 }, (_, i) => `events/big/e${i}/format`).concat('events/big/x/format'),
    );
    const names = new EventNames(many);
    assert.throws(
      () => names.resolve({ filters: { 'big:e*': 'a == 1' } }),
      /600 events would get filters; a guest accepts \d+/,
    );
    assert.throws(
      () => names.resolve({ triggers: { big: ['traceoff'] } }),
      /601 events would get triggers; a guest accepts \d+/,
    );
    assert.deepEqual(names.resolve({ filters: { 'big:*': 'a == 1' } }).filters, { big: 'a == 1' });
  });

  it('keep their filters and triggers; a trigger is set for each event of a system', () => {
    const { filters, triggers } = resolve({
      filters: { 'sched_switc?': 'prev_pid != 0', 'irq:*': 'irq > 3' },
      triggers: { raw_syscalls: ['stacktrace'], sched_waking: ['traceoff', 'snapshot'] },
    });
    assert.deepEqual(filters, { 'sched:sched_switch': 'prev_pid != 0', irq: 'irq > 3' });
    assert.deepEqual(triggers, {
      'raw_syscalls:sys_enter': ['stacktrace'],
      'raw_syscalls:sys_exit': ['stacktrace'],
      'sched:sched_waking': ['traceoff', 'snapshot'],
    });
  });
});
