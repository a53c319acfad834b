// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import type { Applied } from '../../src/tracefs/settings/applied.ts';
import { applySettings } from '../../src/tracefs/settings/apply.ts';
import { checkSettings, needsClosedRings, type TraceSettings } from '../../src/tracefs/settings/settings.ts';
import { maskOfCpus } from '../../src/tracefs/settings/cpu-mask.ts';
import { SettingsError } from '../../src/tracefs/settings/settings-error.ts';
import { Tracefs } from '../../src/tracefs/tracefs.ts';
import { ownInstance, tracefsSkip } from './tracefs-support.ts';

const skip = tracefsSkip();

const everything: TraceSettings = {
  events: ['sched', 'irq:irq_handler_entry', 'timer/timer_start', 'syscalls'],
  eventsOff: ['sched:sched_wakeup_new', 'timer:timer_start', 'syscalls:sys_enter_read', 'irq:softirq_raise'],
  filters: { 'sched:sched_switch': 'prev_pid != 0', 'irq/irq_handler_entry': ' irq > 3 ', sched: 'pid > 1' },
  clock: 'boot',
  bufferKb: 256,
  bufferPercent: 7,
};

describe('settings', { skip }, () => {
  const own = ownInstance();
  let applied: Applied | undefined;
  const apply = (settings: TraceSettings): Applied => (applied = applySettings(own.tracefs, settings));
  afterEach(() => {
    applied?.restore();
    applied = undefined;
  });

  it('take effect, and are restored byte for byte', () => {
    const { tracefs } = own;
    // A state that differs from the defaults, so that restoring is not the same as resetting.
    tracefs.write('events/sched/sched_wakeup/enable', '1');
    tracefs.write('events/sched/sched_switch/filter', 'next_pid == 77');
    tracefs.write('trace_clock', 'mono');
    tracefs.write('per_cpu/cpu0/buffer_size_kb', '100');
    tracefs.write('events/irq/softirq_raise/enable', '1');
    tracefs.write('tracing_on', '0');
    const before = snapshot(tracefs);

    apply(everything);
    assert.equal(tracefs.clocks().current, 'boot');
    assert.equal(tracefs.bufferPercent(), 7);
    assert.equal(tracefs.ringPages(0), 66);
    assert.equal(tracefs.tracingOn(), true);
    assert.deepEqual(offEvents(tracefs, 'sched'), ['sched_wakeup_new']);
    assert.deepEqual(offEvents(tracefs, 'syscalls'), ['sys_enter_read']);
    assert.equal(tracefs.read('events/timer/enable').trim(), '0');
    assert.equal(tracefs.read('events/irq/irq_handler_entry/enable').trim(), '1');
    assert.equal(tracefs.read('events/irq/softirq_raise/enable').trim(), '0');
    assert.equal(tracefs.read('options/record-tgid').trim(), '1');
    assert.equal(tracefs.read('events/sched/sched_switch/filter').trim(), 'prev_pid != 0');
    assert.equal(tracefs.read('events/sched/sched_wakeup/filter').trim(), 'pid > 1');
    assert.equal(tracefs.read('events/irq/irq_handler_entry/filter').trim(), 'irq > 3');

    assert.deepEqual(applied?.quiesce(), []);
    assert.equal(tracefs.tracingOn(), false);
    assert.deepEqual(
      eventState(snapshot(tracefs)),
      { ...eventState(before), 'events/irq/softirq_raise/enable': '0\n' },
      'an event that was on before would fill the rings if it were so again now',
    );
    assert.equal(tracefs.clocks().current, 'boot', 'a clock put back now would empty the rings');
    assert.equal(tracefs.ringPages(0), 66);

    assert.deepEqual(applied?.restore(), []);
    assert.deepEqual(snapshot(tracefs), before);
    tracefs.write('events/irq/softirq_raise/enable', '0');
  });

  it('of triggers, options, tasks, CPUs and sizes take effect, and are restored byte for byte', (context) => {
    const { tracefs } = own;
    tracefs.write('events/irq/irq_handler_entry/trigger', 'traceon if irq == 99999');
    tracefs.write('options/sym-offset', '1');
    tracefs.write('set_event_pid', '1');
    const before = snapshot(tracefs);
    const top = new Tracefs(tracefs.root);
    const depth = top.readIfThere('max_graph_depth');

    apply({
      triggers: {
        'irq:irq_handler_entry': ['stacktrace:5 if irq > 3'],
        'sched:sched_switch': [' traceoff:1 '],
      },
      options: { overwrite: false, stacktrace: true, 'sym-offset': false },
      pids: [process.pid, process.ppid],
      children: true,
      cpuMask: '2',
      ...(depth === undefined ? {} : { maxGraphDepth: 3 }),
      subBufferKb: 16,
      events: ['sched'],
    });
    assert.match(tracefs.read('events/irq/irq_handler_entry/trigger'), /^stacktrace:count=5 if irq > 3$/m);
    assert.match(tracefs.read('events/sched/sched_switch/trigger'), /^traceoff:count=[01]$/m);
    const on = (option: string): string => tracefs.read(`options/${option}`).trim();
    assert.deepEqual(
      ['overwrite', 'stacktrace', 'sym-offset', 'event-fork', 'function-fork'].map(on).join(''),
      '01011',
    );
    assert.deepEqual(
      new Set(tracefs.read('set_event_pid').trim().split('\n')),
      new Set([String(process.pid), String(process.ppid)]),
    );
    assert.equal(tracefs.read('tracing_cpumask').trim(), '2');
    if (depth !== undefined) assert.equal(top.read('max_graph_depth').trim(), '3');
    assert.equal(tracefs.pageBytes(), 16 * 1024);
    if (depth === undefined) context.diagnostic('this kernel has no max_graph_depth');

    assert.deepEqual(applied?.quiesce(), []);
    assert.doesNotMatch(tracefs.read('events/irq/irq_handler_entry/trigger'), /stacktrace/);
    assert.deepEqual(applied?.restore(), []);
    assert.deepEqual(snapshot(tracefs), before);
    assert.equal(top.readIfThere('max_graph_depth'), depth);
    tracefs.write('events/irq/irq_handler_entry/trigger', '!traceon');
    tracefs.write('options/sym-offset', '0');
    tracefs.writeList('set_event_pid', []);
  });

  it('keep the clock that a histogram of times would change, and keep the rings of a tracer off until its removal', (context) => {
    const { tracefs } = own;
    const { current } = tracefs.clocks();
    const triggers = { 'sched:sched_switch': ['hist:keys=prev_pid:ts0=common_timestamp.usecs'] };
    if (!hasHistograms(tracefs)) {
      context.skip('this kernel has no hist triggers');
      return;
    }
    const mine = apply({ triggers, clock: 'mono' });
    assert.equal(tracefs.clocks().current, 'mono');
    assert.deepEqual(mine.restore(), []);
    assert.equal(tracefs.clocks().current, current);
    const plain = apply({ triggers });
    assert.equal(tracefs.clocks().current, current);
    assert.deepEqual(plain.restore(), []);
    assert.equal(tracefs.clocks().current, current);
  });

  it('restore tracing_on after a trigger has changed it', () => {
    const { tracefs } = own;
    tracefs.write('tracing_on', '1');
    const mine = apply({ events: ['sched:sched_switch'], triggers: { 'sched:sched_switch': ['traceoff'] } });
    spawnSync('true');
    assert.equal(tracefs.tracingOn(), false);
    assert.deepEqual(mine.restore(), []);
    assert.equal(tracefs.tracingOn(), true);
    tracefs.write('tracing_on', '0');
  });

  it('of triggers, options, tasks and CPUs that are invalid are refused with the reason', () => {
    const [first = 0] = own.tracefs.cpus().slice(-1);
    refused({ triggers: { 'sched:nope': ['traceoff'] } }, 'unknown-event', /no event "sched:nope"/);
    refused(
      { triggers: { 'sched:sched_switch': ['traceoff if nofield == 1'] } },
      'bad-trigger',
      /trigger "traceoff if nofield == 1" of sched:sched_switch refused/,
    );
    refused(
      { triggers: { 'sched:sched_switch': ['traceoff', 'traceoff'] } },
      'failed',
      /already has one of this kind/,
    );
    refused(
      { triggers: { 'sched:sched_switch': ['hist:keys=prev_pid:pause'] } },
      'bad-trigger',
      /changes an existing one/,
    );
    refused(
      { options: { copy_trace_marker: true } },
      'bad-value',
      /option copy_trace_marker cannot be set directly/,
    );
    refused({ options: { stacktrac: true } }, 'unknown-option', /no trace option "stacktrac".*stacktrace/);
    refused({ options: { '../tracing_on': true } }, 'unknown-option', /no trace option/);
    refused({ pids: [process.pid, 4_194_303] }, 'bad-value', /no task 4194303/);
    refused({ cpuMask: '0' }, 'bad-value', /cpuMask 0 selects no CPU/);
    refused({ cpuMask: maskOfCpus([0, first + 1]) }, 'bad-value', new RegExp(`has CPU ${first + 1};`));
  });

  it('do not enable an excluded event, not even for a moment', () => {
    const { tracefs } = own;
    tracefs.write('events/enable', '0');
    tracefs.write('tracing_on', '1');
    tracefs.write('trace', ' ');
    const left = {
      events: ['syscalls'],
      eventsOff: tracefs.eventsOf('syscalls').map((e) => `syscalls:${e}`),
    };
    const mine = apply({ ...left, eventsOff: left.eventsOff.slice(1) });
    assert.deepEqual(mine.quiesce(), []);
    assert.deepEqual(mine.restore(), []);
    tracefs.write('tracing_on', '0');
    const names = new Set(tracefs.read('trace').match(/\bsys_\w+(?=\()/g));
    assert.ok(names.size <= 1, [...names].join());
  });

  it('that name functions are refused as a whole if the kernel does not allow selecting functions', (context) => {
    const { tracefs } = own;
    if (readsFunctionFilter(tracefs)) {
      context.skip('this kernel lets functions be chosen; that they are is for a guest to show');
      return;
    }
    refused({ ...everything, functionFilter: ['vfs_read'] }, 'failed', /functionFilter .* refused: E[A-Z]+$/);
  });

  it('that are restored twice change nothing more', () => {
    const { tracefs } = own;
    const mine = apply({ events: ['irq'], bufferPercent: 3 });
    assert.deepEqual(mine.restore(), []);
    tracefs.write('buffer_percent', '44');
    tracefs.write('events/irq/softirq_entry/enable', '1');
    assert.deepEqual([...mine.quiesce(), ...mine.restore()], []);
    assert.equal(tracefs.bufferPercent(), 44);
    assert.equal(tracefs.read('events/irq/softirq_entry/enable').trim(), '1');
    tracefs.write('events/irq/softirq_entry/enable', '0');
  });

  it('stop the rings from filling at quiesce', () => {
    checkQuiesce({ events: ['sched', 'syscalls'] });
  });

  it('with a tracer stop the rings from filling at quiesce, and need closed rings at restore', (context) => {
    const { tracefs } = own;
    if (!takesFunctionTracer(tracefs)) {
      context.skip('this kernel does not let an instance have the function tracer');
      return;
    }
    checkQuiesce({ tracer: 'function' });
    const before = snapshot(tracefs);
    const mine = apply({ tracer: 'function' });
    assert.equal(mine.needsClosedRings, true);
    const fd = tracefs.openRing(0);
    try {
      assert.deepEqual(mine.restore(), [{ file: 'current_tracer', errno: 'EBUSY' }]);
    } finally {
      closeSync(fd);
    }
    assert.deepEqual(mine.restore(), []);
    assert.deepEqual(snapshot(tracefs), before);
  });

  it('with a tracer are refused while a ring is open', (context) => {
    const { tracefs } = own;
    if (!tracefs.availableTracers().includes('function')) {
      context.skip('this kernel has no function tracer');
      return;
    }
    const before = snapshot(tracefs);
    assert.equal(needsClosedRings(tracefs, { tracer: 'nop', clock: 'boot', bufferKb: 64 }), false);
    assert.equal(needsClosedRings(tracefs, { tracer: 'function' }), true);
    const fd = tracefs.openRing(0);
    try {
      refused({ ...everything, tracer: 'function' }, 'busy', /function/);
    } finally {
      closeSync(fd);
    }
    assert.deepEqual(snapshot(tracefs), before);
  });

  it('other than a tracer can change while a ring is open', () => {
    const { tracefs } = own;
    const before = snapshot(tracefs);
    const fd = tracefs.openRing(0);
    try {
      assert.equal(apply(everything).needsClosedRings, false);
      assert.deepEqual(applied?.restore(), []);
    } finally {
      closeSync(fd);
    }
    assert.deepEqual(snapshot(tracefs), before);
  });

  it("that fail partway at a filter leave nothing behind, and report the kernel's words", () => {
    const { tracefs } = own;
    tracefs.write('events/sched/sched_wakeup/filter', 'pid == 9');
    const before = snapshot(tracefs);
    refused(
      {
        ...everything,
        filters: { 'irq:irq_handler_entry': 'irq > 3', 'sched:sched_wakeup': 'nofield == 1' },
      },
      'bad-filter',
      /sched:sched_wakeup refused: Field not found, at character \d+ of "nofield == 1"/,
    );
    assert.deepEqual(snapshot(tracefs), before);
    refused(
      { filters: { sched: 'nofield == 1' } },
      'bad-filter',
      /filter of sched refused: none of its events accepts/,
    );
    assert.deepEqual(snapshot(tracefs), before);
    tracefs.write('events/sched/sched_wakeup/filter', '0');
  });

  it('keep the error text of a filter that was refused earlier', () => {
    const { tracefs } = own;
    assert.throws(() => tracefs.write('events/sched/sched_wakeup/filter', 'nofield == 1'), {
      code: 'EINVAL',
    });
    const before = snapshot(tracefs);
    assert.match(before['events/sched/sched_wakeup/filter'] ?? '', /parse_error/);
    apply({ filters: { 'sched:sched_wakeup': 'pid == 1' } });
    assert.deepEqual(applied?.restore(), []);
    assert.deepEqual(snapshot(tracefs), before);
    tracefs.write('events/sched/sched_wakeup/filter', '0');
  });

  it('that need more memory than is available leave the sizes unchanged', () => {
    const before = snapshot(own.tracefs);
    refused(
      { events: ['irq'], bufferKb: 16 << 20, bufferPercent: 1 },
      'bad-value',
      /bufferKb: \d+ rings of 16777216 KB/,
    );
    assert.deepEqual(snapshot(own.tracefs), before);
  });

  it('are checked before anything is changed', () => {
    const { tracefs } = own;
    const before = snapshot(tracefs);
    refused(
      { events: ['sched:sched_swich'] },
      'unknown-event',
      /"sched:sched_swich"; did you mean sched:sched_switch\?$/,
    );
    refused({ events: ['sched_switch'] }, 'unknown-event', /did you mean sched:sched_switch/);
    refused({ events: ['shed'] }, 'unknown-event', /did you mean .*sched/);
    refused({ events: ['irq', '../irq'] }, 'unknown-event', /"\.\.\/irq"/);
    refused({ events: ['ftrace:print'] }, 'unknown-event', /cannot be enabled: it is written by tracers/);
    refused({ filters: { 'sched:nothing': 'pid == 1' } }, 'unknown-event', /sched:nothing/);
    refused({ filters: { 'sched:sched_switch': '' } }, 'bad-filter', /empty/);
    refused({ filters: { 'sched:sched_switch': 'prev_pid == 1\nx' } }, 'bad-filter', /line break/);
    refused(
      { filters: { 'sched:sched_switch': `prev_pid == ${'1'.repeat(5_000)}` } },
      'bad-filter',
      /longer than/,
    );
    refused({ eventsOff: ['sched:nothing'] }, 'unknown-event', /sched:nothing/);
    for (const name of ['', '!vfs_read', 'vfs read', '#x', 'vfs_read:traceon', 'a:mod:b:traceon', 'a\n'])
      refused({ functionFilter: [name] }, 'bad-value', /functionFilter: ".*" is not a function/);
    refused({ tracer: 'functoin' }, 'unknown-tracer', /it has .*nop/);
    refused({ clock: 'sundial' }, 'unknown-clock', /it has local, global/);
    refused({ clock: '[local]' }, 'unknown-clock', /sundial|local/);
    for (const bufferKb of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 40])
      refused({ bufferKb }, 'bad-value', /bufferKb/);
    for (const bufferPercent of [-1, 101, 0.5]) refused({ bufferPercent }, 'bad-value', /bufferPercent/);
    assert.deepEqual(snapshot(tracefs), before);
  });

  function checkQuiesce(settings: TraceSettings): void {
    const { tracefs } = own;
    tracefs.write('events/enable', '0');
    tracefs.write('tracing_on', '1');
    const written = () => tracefs.cpus().reduce((sum, cpu) => sum + writtenOf(tracefs, cpu), 0);
    const mine = apply(settings);
    const atStart = written();
    readFileSync('/proc/self/stat');
    assert.ok(written() > atStart, 'they fill');
    mine.quiesce();
    // one more event may come from another CPU that was just writing it; a growing number is a fault
    let atQuiesce = written();
    for (let tries = 0; tries < 100; tries += 1) {
      const before = atQuiesce;
      spawnSync('sleep', ['0.02']);
      atQuiesce = written();
      if (atQuiesce === before) break;
    }
    for (let i = 0; i < 100; i++) readFileSync('/proc/self/stat');
    assert.equal(written(), atQuiesce);
    assert.deepEqual(mine.restore(), []);
    assert.equal(tracefs.tracingOn(), true);
  }

  function refused(settings: TraceSettings, code: string, message: RegExp): void {
    const before = snapshotOfSwitches(own.tracefs);
    assert.throws(
      () => {
        // Errors that the check alone can detect are thrown by the check alone.
        if (code.startsWith('unknown')) checkSettings(own.tracefs, settings);
        else apply(settings);
      },
      (error) => {
        assert.ok(error instanceof SettingsError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /not restored/);
        return true;
      },
    );
    assert.deepEqual(snapshotOfSwitches(own.tracefs), before);
  }
});

const switches = [
  'current_tracer',
  'trace_clock',
  'buffer_size_kb',
  'buffer_percent',
  'tracing_on',
  'tracing_cpumask',
  'set_event_pid',
];

function snapshotOfSwitches(tracefs: Tracefs): Record<string, string> {
  const files = [...switches, ...tracefs.options().map((option) => `options/${option}`)];
  return Object.fromEntries(files.map((file) => [file, tracefs.read(file)]));
}

/** Contents of every file that settings may change, by name. */
function snapshot(tracefs: Tracefs): Record<string, string> {
  const state = snapshotOfSwitches(tracefs);
  const events = tracefs.events().map((name) => name.replace(':', '/'));
  const files = [
    ...tracefs.systems().map((system) => `events/${system}/filter`),
    ...events.flatMap((event) => [
      `events/${event}/enable`,
      `events/${event}/filter`,
      `events/${event}/trigger`,
    ]),
    'buffer_subbuf_size_kb',
    ...tracefs.cpus().map((cpu) => `per_cpu/cpu${cpu}/buffer_size_kb`),
  ];
  for (const file of files) {
    const text = tracefs.readIfThere(file);
    if (text !== undefined) state[file] = text;
  }
  assert.ok(Object.keys(state).length > 500, 'a kernel has hundreds of events');
  return state;
}

function eventState(state: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(state).filter(([file]) => file.startsWith('events/') || file === 'tracing_on'),
  );
}

function offEvents(tracefs: Tracefs, system: string): string[] {
  return tracefs
    .eventsOf(system)
    .filter((name) => tracefs.read(`events/${system}/${name}/enable`).trim() === '0');
}

function readsFunctionFilter(tracefs: Tracefs): boolean {
  try {
    return tracefs.readIfThere('set_ftrace_filter') !== undefined;
  } catch {
    return false;
  }
}

function hasHistograms(tracefs: Tracefs): boolean {
  return tracefs.readIfThere('events/sched/sched_switch/hist') !== undefined;
}

function takesFunctionTracer(tracefs: Tracefs): boolean {
  try {
    tracefs.write('current_tracer', 'function');
    tracefs.write('current_tracer', 'nop');
    return true;
  } catch {
    return false;
  }
}

function writtenOf(tracefs: Tracefs, cpu: number): number {
  const { entries, overrun, readEvents } = tracefs.stats(cpu);
  return entries + overrun + readEvents;
}
