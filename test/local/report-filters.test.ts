import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { printed, traceCmd, traceCmdSkip, traceHost } from '../report/compare.ts';
import { reportFixtureDir } from '../report/fixtures.ts';

/** Filters that trace-cmd accepts: a field, an operator and a constant, joined by && and ||. */
const filters = [
  'sched_switch',
  '.*',
  'irq,sched: prio == 017',
  'sched/sched_switch: common_pid > 1',
  'sched_switch: prev_prio < 100 && next_pid > 5',
  'sched_switch: prev_prio < 100 || next_pid > 5 && next_prio == 3',
  'sched_switch: !(prev_prio < 100)',
  'sched_switch: ! prev_prio < 100',
  'sched_switch: !!(prev_prio < 3)',
  'sched_switch: !(prev_prio < 3) && !(next_prio < 2)',
  'sched_switch,sched_wakeup: prev_prio == 0x1f',
  'sched_switch: prev_prio == 0xffffffffffffffff',
  'sched_switch: prev_prio & 3',
  'sched_switch: prev_prio << 3',
  'sched_switch: CPU == 1',
  'sched: prev_comm == "sh"',
  'sched: nosuch == 1 || prev_prio == 1',
  'sched: nosuch == 1 && prev_prio == 1',
  'sched: prio == 1 && !(prev_prio == 1)',
  'sched: !(prio == 1 || pid > 3)',
  'sched_switch: prev_comm =~ "s.*h" || next_comm !~ "a"',
  'sched_switch: prev_comm == "a\\"b"',
  `sched_switch: prev_comm == 'a"b'`,
  '.*: common_pid == 0 && COMM != "a"',
  '.*: prio > 5 || flags == 3',
];

/** The event that trace-cmd adds to those of every file. */
const addedByTraceCmd = /^ 'blktrace: .*\n/m;

/** What trace-host refuses and trace-cmd evaluates as false. */
const refusedHere = /nosuch/;

describe('report -T says what a filter means for each event', () => {
  const both = (
    args: readonly string[],
  ): [ours: ReturnType<typeof printed>, theirs: ReturnType<typeof printed>] => [
    printed(traceHost, args, reportFixtureDir),
    printed(traceCmd, args, reportFixtureDir),
  ];

  for (const file of ['guest-events.dat', 'guest612-events.dat'])
    it(`as trace-cmd does, of ${file}`, { skip: traceCmdSkip() }, () => {
      for (const filter of filters) {
        const [ours, theirs] = both(['-T', '-F', filter, '-i', file]);
        if (refusedHere.test(filter)) assert.equal(ours.status, 2);
        else {
          const expected = String(theirs.stdout).replace(addedByTraceCmd, '');
          assert.deepEqual([ours.status, String(ours.stdout)], [0, expected], filter);
        }
      }
    });

  it('with other options as trace-cmd does', { skip: traceCmdSkip() }, () => {
    for (const options of [
      ['-F', 'sched_switch: prev_prio == 1', '-F', 'sched_wakeup: prio == 2'],
      ['-F', 'sched_wakeup', '-v', '-F', 'sched_switch', '-F', 'irq'],
      ['--stat', '-F', 'sched'],
      ['--uname', '-F', 'sched'],
      ['--version', '-F', 'sched'],
      ['-w', '--cpu', '9', '-F', 'sched'],
      ['--first-event', '-F', 'sched'],
      ['-E', '-F', 'sched'],
      ['-F', 'sched', '-i', 'guest-stacks.dat'],
      [],
    ]) {
      const [ours, theirs] = both(['-T', '-q', ...options, '-i', 'guest-events.dat']);
      assert.deepEqual([ours.status, String(ours.stdout)], [0, String(theirs.stdout)], options.join(' '));
    }
  });

  it('also of filters that trace-cmd refuses or crashes at', () => {
    for (const [filter, text] of [
      ['sched_switch: 3 < prev_prio + 2 * -1', '3 < (prev_prio + (2 * -1))'],
      ["sched_switch: prev_prio == 'a'", 'prev_prio == 97'],
      ['sched_switch: prev_prio == -1', 'prev_prio == -1'],
      ['sched_switch: prev_prio & 3 == 1', '(prev_prio & 3) == 1'],
      ['sched_switch: PID > 1', 'PID > 1'],
    ]) {
      const { status, stdout } = printed(
        traceHost,
        ['-T', '-F', String(filter), 'guest-events.dat'],
        reportFixtureDir,
      );
      assert.deepEqual([status, String(stdout)], [0, ` 'sched_switch: ${text}'\n`]);
    }
  });
});
