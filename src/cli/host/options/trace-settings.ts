import { exitCode, Failure } from '../../../base/failure.ts';
import { maxBufferKb, maxGraphDepth, maxPid, maxSubBufferKb } from '../../../protocol/trace-request.ts';
import { quoted } from '../../../base/quoted.ts';
import { parseCount } from '../../options/choice.ts';
import { parseFlag, type Setting } from '../../options/setting.ts';

/** Options of `trace-host record` that say what the guest is to trace; names and letters are trace-cmd's. */
export const traceSettings = {
  event: {
    short: 'e',
    long: 'event',
    placeholder: 'EVENT',
    description:
      'trace an event, all of a system, or all: sched, sched_switch, sched:*wake*, :sys_enter_*, a,b, all; repeatable',
    repeatable: true,
    parse: lines,
  },
  filter: {
    short: 'f',
    long: 'filter',
    placeholder: 'FILTER',
    description: 'only those events of the -e before it for which this holds; repeatable',
    repeatable: true,
    parse: lines,
  },
  not: {
    short: 'v',
    long: 'not',
    description: 'the -e options behind it name events to leave out',
    defaultText: 'false',
    parse: parseFlag,
  },
  plugin: {
    short: 'p',
    long: 'plugin',
    placeholder: 'TRACER',
    description: 'trace with a tracer: function, function_graph, …',
    values: { words: ['function', 'function_graph'] },
    parse: parseWord,
  },
  function: {
    short: 'l',
    long: 'function',
    placeholder: 'FUNC',
    description: 'trace only this function, or those that match a pattern; repeatable',
    repeatable: true,
    parse: lines,
  },
  notrace: {
    short: 'n',
    long: 'notrace',
    placeholder: 'FUNC',
    description: 'do not trace this function; repeatable',
    repeatable: true,
    parse: lines,
  },
  graph: {
    short: 'g',
    long: 'graph',
    placeholder: 'FUNC',
    description: 'with function_graph: follow only this function; repeatable',
    repeatable: true,
    parse: lines,
  },
  clock: {
    short: 'C',
    long: 'clock',
    placeholder: 'CLOCK',
    description: 'trace clock: local, global, boot, mono, …',
    values: { words: ['local', 'global', 'boot', 'mono', 'mono_raw', 'tai', 'counter', 'uptime', 'perf'] },
    parse: parseWord,
  },
  bufferSize: {
    short: 'b',
    long: 'buffer-size',
    placeholder: 'KB',
    description: 'ring buffer of each CPU, in KiB',
    parse: (text: string, name: string) => parseCount(text, name, maxBufferKb, 1),
  },
  instance: {
    short: 'B',
    long: 'instance',
    placeholder: 'NAME',
    description:
      "tracefs instance to trace in, `top` for the guest's own (default: one of the recording's when events or a " +
      'tracer that can are given, else top). What programs write to trace_marker is in top, and in others from ' +
      'Linux 6.16 on',
    values: { words: ['top'] },
    parse: parseWord,
  },
  printk: {
    long: 'trace-printk',
    description:
      "have the kernel's trace_printk in this trace, and meanwhile not in top: from Linux 6.12 on; before, it is in " +
      'top only',
    defaultText: 'false',
    parse: parseFlag,
  },
  trigger: {
    short: 'R',
    long: 'trigger',
    placeholder: 'TRIGGER',
    description:
      'set a trigger at the events of the -e before it, e.g. stacktrace, "traceoff if irq == 1"; repeatable',
    repeatable: true,
    parse: lines,
  },
  stackTrace: {
    short: 'T',
    long: 'stack-trace',
    description: 'a stack trace behind each event',
    defaultText: 'false',
    parse: parseFlag,
  },
  option: {
    short: 'O',
    long: 'option',
    placeholder: 'OPTION',
    description: "switch on one of the kernel's trace options, or off with `no` before it; repeatable",
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((option) => parseWord(option, name)),
  },
  pid: {
    short: 'P',
    long: 'pid',
    placeholder: 'PID',
    description: 'trace only this task of the guest; repeatable, or several with commas between them',
    repeatable: true,
    parse: (text: string, name: string) =>
      text
        .split(/[\n,]/)
        .filter((pid) => pid !== '')
        .map((pid) => parseCount(pid, name, maxPid, 1)),
  },
  children: {
    short: 'c',
    long: 'children',
    description: 'with -P: the children of those tasks too',
    defaultText: 'false',
    parse: parseFlag,
  },
  cpuMask: {
    short: 'M',
    long: 'cpumask',
    placeholder: 'MASK',
    description:
      'trace only these CPUs of the guest: a hexadecimal mask, -1 for all (default: as the guest has it)',
    parse: parseMask,
  },
  maxGraphDepth: {
    long: 'max-graph-depth',
    placeholder: 'DEPTH',
    description: 'with function_graph: how deep to follow calls; 0: no limit',
    parse: (text: string, name: string) => parseCount(text, name, maxGraphDepth),
  },
  subBufferSize: {
    long: 'subbuf-size',
    placeholder: 'KB',
    description: "size of the rings' sub-buffers, in KiB; kernel 6.8 and later",
    parse: (text: string, name: string) => parseCount(text, name, maxSubBufferKb, 1),
  },
  functionStack: {
    long: 'func-stack',
    description:
      'a stack trace behind each function: with -p function and -l only, as of all functions it is too much',
    defaultText: 'false',
    parse: parseFlag,
  },
  withoutFunctions: {
    short: 'd',
    long: 'without-functions',
    description: 'with a tracer that traces functions beside what it is for (irqsoff, wakeup): without them',
    defaultText: 'false',
    parse: parseFlag,
  },
  module: {
    long: 'module',
    placeholder: 'MODULE',
    description: 'only functions of this module, of those that -l names or of all',
    parse: parseWord,
  },
  keep: {
    short: 'k',
    long: 'keep',
    description: 'leave the guest set up as it was traced, with tracing off',
    defaultText: 'false',
    parse: parseFlag,
  },
} as const satisfies Record<string, Setting<unknown>>;

/** The values of a repeatable option. */
export function lines(text: string): string[] {
  return text.split('\n');
}

function parseWord(text: string, name: string): string {
  if (/^[\w.:-]{1,64}$/.test(text)) return text;
  throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is no name`, 'give one word');
}

/** trace-cmd's users write `0x` or not. */
function parseMask(text: string, name: string): string {
  const mask = text.trim().replace(/^0x/i, '');
  if (mask === '-1') return mask;
  if (/^[\da-f,]+$/i.test(mask)) {
    const digits = mask.replaceAll(',', '');
    return digits.replace(/(?<=.)(?=(?:.{8})+$)/g, ',');
  }
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is no hexadecimal mask`,
    'give e.g. 5 for CPU 0 and 2, or -1 for all',
  );
}
