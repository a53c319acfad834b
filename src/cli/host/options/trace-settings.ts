import { exitCode, Failure } from '../../../base/failure.ts';
import { maxBufferKb, maxGraphDepth, maxPid, maxSubBufferKb } from '../../../protocol/trace-request.ts';
import { quoted } from '../../../base/quoted.ts';
import { parseCount } from '../../options/choice.ts';
import { parseFlag, type Setting } from '../../options/setting.ts';

/** Options of `trace-host record` that select what the guest traces; long and short names are those of trace-cmd. */
export const traceSettings = {
  event: {
    short: 'e',
    long: 'event',
    placeholder: 'EVENT',
    description:
      'trace an event, a system, or everything: sched, sched_switch, sched:*wake*, :sys_enter_*, a,b, all; repeatable',
    repeatable: true,
    parse: lines,
  },
  filter: {
    short: 'f',
    long: 'filter',
    placeholder: 'FILTER',
    description: 'trace the events of the preceding -e only if this expression is true; repeatable',
    repeatable: true,
    parse: lines,
  },
  not: {
    short: 'v',
    long: 'not',
    description: 'the -e options after it name events to exclude',
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
    description: 'with function_graph: trace only this function and what it calls; repeatable',
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
    description: 'ring buffer size per CPU, in KiB',
    parse: (text: string, name: string) => parseCount(text, name, maxBufferKb, 1),
  },
  instance: {
    short: 'B',
    long: 'instance',
    placeholder: 'NAME',
    description:
      'tracefs instance to trace in; `top` is the top level (default: a separate instance if events or a tracer that ' +
      'works in instances are given, else top). Text written to trace_marker goes to top; since Linux 6.16 it can ' +
      'also go to other instances',
    values: { words: ['top'] },
    parse: parseWord,
  },
  printk: {
    long: 'trace-printk',
    description:
      "send the kernel's trace_printk output to this trace instead of top; needs Linux 6.12, earlier kernels always use " +
      'top',
    defaultText: 'false',
    parse: parseFlag,
  },
  trigger: {
    short: 'R',
    long: 'trigger',
    placeholder: 'TRIGGER',
    description:
      'set a trigger on the events of the preceding -e, e.g. stacktrace, "traceoff if irq == 1"; repeatable',
    repeatable: true,
    parse: lines,
  },
  stackTrace: {
    short: 'T',
    long: 'stack-trace',
    description: 'record a stack trace after each event',
    defaultText: 'false',
    parse: parseFlag,
  },
  option: {
    short: 'O',
    long: 'option',
    placeholder: 'OPTION',
    description: 'enable a trace option of the kernel, or disable it with a leading `no`; repeatable',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((option) => parseWord(option, name)),
  },
  pid: {
    short: 'P',
    long: 'pid',
    placeholder: 'PID',
    description: 'trace only this task of the guest; repeatable, or a comma-separated list',
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
    description: 'with -P: also trace the children of these tasks',
    defaultText: 'false',
    parse: parseFlag,
  },
  cpuMask: {
    short: 'M',
    long: 'cpumask',
    placeholder: 'MASK',
    description:
      "trace only these CPUs of the guest: a hexadecimal mask, -1 for all (default: the guest's setting)",
    parse: parseMask,
  },
  maxGraphDepth: {
    long: 'max-graph-depth',
    placeholder: 'DEPTH',
    description: 'with function_graph: maximum call depth; 0: no limit',
    parse: (text: string, name: string) => parseCount(text, name, maxGraphDepth),
  },
  subBufferSize: {
    long: 'subbuf-size',
    placeholder: 'KB',
    description: 'ring sub-buffer size, in KiB; needs Linux 6.8 in the guest',
    parse: (text: string, name: string) => parseCount(text, name, maxSubBufferKb, 1),
  },
  functionStack: {
    long: 'func-stack',
    description:
      'record a stack trace after each function; needs -p function and -l, since for all functions it would be too slow',
    defaultText: 'false',
    parse: parseFlag,
  },
  withoutFunctions: {
    short: 'd',
    long: 'without-functions',
    description: 'with a tracer that also traces functions (irqsoff, wakeup): do not trace functions',
    defaultText: 'false',
    parse: parseFlag,
  },
  module: {
    long: 'module',
    placeholder: 'MODULE',
    description: 'trace only functions of this module: those given by -l, or all',
    parse: parseWord,
  },
  keep: {
    short: 'k',
    long: 'keep-settings',
    description: 'keep the trace settings in the guest, with tracing off',
    defaultText: 'false',
    parse: parseFlag,
  },
} as const satisfies Record<string, Setting<unknown>>;

/** Splits the text of a repeatable option into its values. */
export function lines(text: string): string[] {
  return text.split('\n');
}

function parseWord(text: string, name: string): string {
  if (/^[\w.:-]{1,64}$/.test(text)) return text;
  throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is not a valid name`, 'use a single word');
}

/** A leading `0x` is optional, as in trace-cmd. */
function parseMask(text: string, name: string): string {
  const mask = text.trim().replace(/^0x/i, '');
  if (mask === '-1') return mask;
  if (/^[\da-f,]+$/i.test(mask)) {
    const digits = mask.replaceAll(',', '');
    return digits.replace(/(?<=.)(?=(?:.{8})+$)/g, ',');
  }
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is not a hexadecimal mask`,
    'use e.g. 5 for CPU 0 and 2, or -1 for all',
  );
}
