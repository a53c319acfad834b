import { casesOf } from './case.ts';

const sw = casesOf('sched:sched_switch');
const wake = casesOf('sched:sched_wakeup');
const wakeNew = casesOf('sched:sched_wakeup_new');
const fun = casesOf('ftrace:function');
const repeats = casesOf('ftrace:func_repeats');
const stack = casesOf('ftrace:kernel_stack');
const raw = casesOf('ftrace:raw_data');
const marker = casesOf('ftrace:print');
const puts = casesOf('ftrace:bputs');
const printk = casesOf('ftrace:bprint');

const f1 = '0xffffffff81000000';
const f2 = '0xffffffff81000104';
const f3 = '0xffffffff81000200';
const printF = '"%ps <-- %ps", (void *)REC->ip, (void *)REC->parent_ip';
const switchFields = (state: string, prio = '120'): string =>
  `char prev_comm[16] = "one"; int prev_pid = 10; int prev_prio = ${prio}; long prev_state = ${state}; char next_comm[16] = "two"; int next_pid = 11; int next_prio = 100`;
const callers = (list: string): string => `int size = 3; unsigned long caller[8] = ${list}`;
const bprint = (fmt: string, buf: string): string =>
  `unsigned long ip = ${f1}; char * fmt = 0xffffffff820000${fmt}; u32 buf[] = ${buf}`;
const printB = '"%ps: %s", (void *)REC->ip, REC->fmt';

/** Events of the scheduler, of function tracers, and of trace_printk. */
export const taskCases = [
  sw('running', switchFields('0'), '"x"'),
  sw('sleeping', switchFields('1'), '"x"'),
  sw('several states', switchFields('0x82'), '"x"'),
  sw('state beyond the letters', switchFields('0x100'), '"x"'),
  sw('negative priority', switchFields('2', '-1'), '"x"'),
  sw('fields are missing', 'int prev_pid = 10; int next_pid = 11', '"x"'),
  sw('the first field is missing', 'int a = 10; int next_pid = 11', '"x %d", REC->a'),
  sw(
    'the next task is missing',
    'char prev_comm[16] = "one"; int prev_pid = 10; int prev_prio = 1; long prev_state = 1',
    '"x"',
  ),
  wake('usual', 'char comm[16] = "three"; int pid = 12; int prio = 120; int target_cpu = 3', '"x"'),
  wake(
    'with success',
    'char comm[16] = "three"; int pid = 12; int prio = 120; int success = 1; int target_cpu = 3',
    '"x"',
  ),
  wake(
    'many CPUs',
    'char comm[16] = "three"; int pid = 12; int prio = -1; int success = 0; int target_cpu = 1234',
    '"x"',
  ),
  wake('no fields', 'int a = 12', '"x %d", REC->a'),
  wake('no priority', 'char comm[16] = "three"; int pid = 12', '"x"'),
  wakeNew('usual', 'char comm[16] = "four"; int pid = 13; int prio = 120; int target_cpu = 3', '"x"'),
  fun('a caller', `unsigned long ip = ${f1}; unsigned long parent_ip = ${f3}`, printF),
  fun('called by it', `unsigned long ip = ${f2}; unsigned long parent_ip = ${f1}`, printF),
  fun('called by that', `unsigned long ip = ${f3}; unsigned long parent_ip = ${f2}`, printF),
  fun('unknown addresses', 'unsigned long ip = 0x1234; unsigned long parent_ip = 0x5678', printF),
  fun('no parent', `unsigned long ip = ${f1}`, '"%ps", (void *)REC->ip'),
  fun('no function', 'int a = 1', '"%d", REC->a'),
  repeats(
    'usual',
    `unsigned long ip = ${f1}; unsigned long parent_ip = ${f3}; u16 count = 5; u16 top_delta_ts = 0; u32 bottom_delta_ts = 1000`,
    '"x"',
  ),
  repeats('no count', `unsigned long ip = ${f1}; unsigned long parent_ip = ${f3}`, '"x"'),
  stack('three callers', callers(`${f1}, ${f2}, 0x1234, 0xffffffffffffffff, 0, 0, 0, 0`), '"x"'),
  stack('up to the end', callers(`${f1}, ${f2}, ${f3}, 1, 2, 3, 4, 5`), '"x"'),
  stack('no callers', 'int size = 0', '"x %d", REC->size'),
  raw(
    'bytes',
    'unsigned int id = 0x1f; char buf[] = 01 02 ff 00',
    '"id:%04x %08x", REC->id, (int)REC->buf[0]',
  ),
  raw('no id', 'int a = 1', '"%d", REC->a'),
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
];

/** Widths and precisions of trace_printk; a format that ends early. */
export const printkCases = [
  casesOf('ftrace:bprint')(
    'stars',
    `unsigned long ip = ${f1}; char * fmt = 0xffffffff82000100; u32 buf[] = 06 00 00 00 2a 00 00 00 02 00 00 00 61 62 63 00`,
    printB,
  ),
  casesOf('ftrace:bprint')(
    'short lengths',
    `unsigned long ip = ${f1}; char * fmt = 0xffffffff82000180; u32 buf[] = ff 00 00 00 ff ff 00 00 01 00 00 00 00 00 00 00 41 00 00 00`,
    printB,
  ),
];
