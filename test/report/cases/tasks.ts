import { type Case, casesOf, pluginEvent, range } from './case.ts';

const sw = casesOf('sched:sched_switch');
const wake = casesOf('sched:sched_wakeup');
const wakeNew = casesOf('sched:sched_wakeup_new');
const repeats = casesOf('ftrace:func_repeats');
const stack = casesOf('ftrace:kernel_stack');
const raw = casesOf('ftrace:raw_data');
const marker = casesOf('ftrace:print');
const puts = casesOf('ftrace:bputs');
const printk = casesOf('ftrace:bprint');

const f1 = '0xffffffff81000000';
const f2 = '0xffffffff81000104';
const f3 = '0xffffffff81000200';
const unknownAddress = 0xffffffff70000000n;
const wide = 0xfedcba9876543210n;
const callers = (list: string): string => `int size = 3; unsigned long caller[8] = ${list}`;
const bprint = (fmt: string, buf: string): string =>
  `unsigned long ip = ${f1}; char * fmt = 0xffffffff820000${fmt}; u32 buf[] = ${buf}`;
const printB = '"%ps: %s", (void *)REC->ip, REC->fmt';

/** Events of the scheduler, of function tracers, and of trace_printk. */
export const taskCases: readonly Case[] = [
  ...pluginEvent(
    'sched:sched_switch',
    'char prev_comm[16]; pid_t prev_pid; int prev_prio; long prev_state; char next_comm[16]; pid_t next_pid; int next_prio',
    [
      ['from', 7, 120, 0, 'to', 8, 100],
      ...range(10).map((bit) => ['a', 7, -1, 1 << bit, 'b', 9, 0] as const),
      ['0123456789abcdefgh', -1, 120, 0x1ff, '', 0, 120],
      ['x', 7, 120, wide, 'y', 1, 120],
    ],
  ),
  ...pluginEvent('sched:sched_wakeup', 'char comm[16]; pid_t pid; int prio; int target_cpu', [
    ['task', 8, 120, 0],
    ['task', -1, -1, -1],
    ['', 0, 0, 1234],
  ]),
  ...pluginEvent(
    'sched:sched_wakeup_new',
    'char comm[16]; pid_t pid; int prio; int success; int target_cpu',
    [
      ['task', 8, 120, 1, 12],
      ['task', 70000, -1, 0, 999],
    ],
  ),
  ...pluginEvent(
    'ftrace:function',
    'unsigned long ip; unsigned long parent_ip',
    [
      [0xffffffff81000100n, 0xffffffff81000000n],
      [0xffffffff81000210n, 0xffffffff81000110n],
      [0xffffffff81000310n, 0xffffffff81000210n],
      [0xffffffff81000400n, 0xffffffff81000110n],
      [unknownAddress, 0xffffffff81000410n],
      [0xffffffff81000100n, unknownAddress],
      [5, 0],
    ],
    '" %ps <-- %ps", (void *)REC->ip, (void *)REC->parent_ip',
  ),
  ...pluginEvent(
    'ftrace:func_repeats',
    'unsigned long ip; unsigned long parent_ip; u16 count; u16 top_delta_ts; u32 bottom_delta_ts',
    [
      [0xffffffff81000100n, 0xffffffff81000000n, 5, 0, 1000],
      [0xffffffff81000210n, 0xffffffff81000110n, 65535, 0, 0],
      [unknownAddress, 0, 0, 0, 999_999_999],
    ],
    '" %ps <-%ps\\t(repeats:%u  delta: -%u)", (void *)REC->ip, (void *)REC->parent_ip, REC->count, REC->bottom_delta_ts',
  ),
  ...pluginEvent(
    'ftrace:raw_data',
    'unsigned int id; char buf[8]',
    [
      [5, 'abc'],
      [0xffffffff, [0, 255, 1, 2, 3, 4, 5]],
    ],
    '"id:%04x %08x", REC->id, (int)REC->buf[0]',
  ),
  sw('fields are missing', 'int prev_pid = 10; int next_pid = 11', '"x"'),
  sw('the first field is missing', 'int a = 10; int next_pid = 11', '"x %d", REC->a'),
  sw(
    'the next task is missing',
    'char prev_comm[16] = "one"; int prev_pid = 10; int prev_prio = 1; long prev_state = 1',
    '"x"',
  ),
  wake('no priority', 'char comm[16] = "three"; int pid = 12', '"x"'),
  wakeNew('usual', 'char comm[16] = "four"; int pid = 13; int prio = 120; int target_cpu = 3', '"x"'),
  repeats('no count', `unsigned long ip = ${f1}; unsigned long parent_ip = ${f3}`, '"x"'),
  stack('three callers', callers(`${f1}, ${f2}, 0x1234, 0xffffffffffffffff, 0, 0, 0, 0`), '"x"'),
  stack('up to the end', callers(`${f1}, ${f2}, ${f3}, 1, 2, 3, 4, 5`), '"x"'),
  stack('no callers', 'int size = 0', '"x %d", REC->size'),
  raw(
    'bytes',
    'unsigned int id = 0x1f; char buf[] = 01 02 ff 00',
    '"id:%04x %08x", REC->id, (int)REC->buf[0]',
  ),
  marker(
    'text',
    `unsigned long ip = ${f1}; char buf[] = "a marker\\n"`,
    '"%ps: %s", (void *)REC->ip, REC->buf',
  ),
  marker(
    'unknown function',
    'unsigned long ip = 0x1234; char buf[] = "a marker"',
    '"%ps: %s", (void *)REC->ip, REC->buf',
  ),
  puts(
    'text',
    `unsigned long ip = ${f1}; char * str = 0xffffffff82000140`,
    '"%ps: %s", (void *)REC->ip, REC->str',
  ),
  puts(
    'unknown text',
    `unsigned long ip = ${f1}; char * str = 0xffffffff82000999`,
    '"%ps: %s", (void *)REC->ip, REC->str',
  ),
  printk('number and text', bprint('00', '05 00 00 00 61 62 63 00'), printB),
  printk(
    'wide numbers',
    bprint('40', 'ff ff ff ff ff ff ff ff 01 00 00 00 00 00 00 00 fb ff ff ff 07 00 00 00'),
    printB,
  ),
  printk(
    'pointers',
    bprint('80', '34 12 00 00 00 00 00 00 04 01 00 81 ff ff ff ff 04 01 00 81 ff ff ff ff'),
    printB,
  ),
  printk('addresses as text', bprint('c0', '31 2e 32 2e 33 2e 34 00 07 00 00 00'), printB),
  printk(
    'narrow numbers',
    bprint('80', '34 12 00 00 00 00 00 00 04 01 00 81 ff ff ff ff 00 00 00 00 00 00 00 00'),
    printB,
  ),
  printk('no such format', bprint('01', '05 00 00 00'), printB),
  printk(
    'stars',
    `unsigned long ip = ${f1}; char * fmt = 0xffffffff82000100; u32 buf[] = 06 00 00 00 2a 00 00 00 02 00 00 00 61 62 63 00`,
    printB,
  ),
  printk(
    'short lengths',
    `unsigned long ip = ${f1}; char * fmt = 0xffffffff82000180; u32 buf[] = ff 00 00 00 ff ff 00 00 01 00 00 00 00 00 00 00 41 00 00 00`,
    printB,
  ),
];
