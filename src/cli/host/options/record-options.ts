import { basename, dirname, extname, join } from 'node:path';
import { exitCode, Failure } from '../../../base/failure.ts';
import type { RecordOptions } from '../../../host/record/contract.ts';
import type { TraceRequest } from '../../../protocol/control.ts';
import { Refusal } from '../../../protocol/refusal.ts';
import { parseTraceRequest, readFilter, readTrigger } from '../../../protocol/trace-request.ts';
import { readForm } from './convert-options.ts';
import type { Given } from './given.ts';
import { hostSettings } from './host-settings.ts';

export interface RecordCommand extends RecordOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** About options that were given, for people. */
  readonly remarks: readonly string[];
}

/** Of the recording's own, unless another is named. */
const ownInstance = 'trace-host';
/** Other tracers run only in the top-level instance, on all kernels or on most. */
const instanceTracers: ReadonlySet<string> = new Set(['nop', 'function']);

export function readRecord(given: Given): RecordCommand {
  const location = given.location();
  const names = given.get(hostSettings.guests) ?? [];
  if (names.length > 0 && location.guest !== undefined) {
    throw new Failure(exitCode.usage, '--guest and --agent both name guests', 'name all with --agent');
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new Failure(exitCode.usage, `--agent: ${twice} is named twice`, 'name it once');
  const out = given.read(hostSettings.output);
  const maxKb = given.get(hostSettings.maxKb);
  return {
    guests:
      names.length === 0
        ? [{ location, out }]
        : names.map((guest) => ({ location: { ...location, guest }, out: fileOf(out, guest) })),
    trace: readTrace(given),
    capBytes: maxKb === undefined ? undefined : maxKb * 1024,
    durationMs: given.get(hostSettings.duration),
    maxBytes: given.get(hostSettings.maxSize),
    command: given.operands,
    commandOutput: given.flag('json') ? 'stderr' : 'stdout',
    timeoutMs: given.read(hostSettings.timeout),
    ...readForm(given),
    skipUnknown: given.flag('ignoreUnknown'),
    json: given.flag('json'),
    quiet: given.flag('quiet'),
    remarks: given.remarks,
  };
}

/** trace.dat of guest web is trace-web.dat, as trace-cmd names it. */
function fileOf(out: string, guest: string): string {
  const extension = extname(out);
  return join(dirname(out), `${basename(out, extension)}-${guest}${extension}`);
}

/** What the guest is to trace; undefined when nothing was asked for. */
function readTrace(given: Given): TraceRequest | undefined {
  const tracer = given.get(hostSettings.plugin);
  mustBeOnce(given);
  const named = given.get(hostSettings.instance);
  const request = {
    ...readEvents(given),
    ...readFunctions(given),
    ...optional('tracer', tracer),
    ...optional('clock', given.get(hostSettings.clock)),
    ...optional('bufferKb', given.get(hostSettings.bufferSize)),
    ...optional('subBufferKb', given.get(hostSettings.subBufferSize)),
    ...optional('options', readOptions(given)),
    ...readTasks(given),
    ...optional('cpuMask', given.get(hostSettings.cpuMask)),
    ...optional('maxGraphDepth', given.get(hostSettings.maxGraphDepth)),
    ...optional('printk', given.flag('printk') || undefined),
    ...optional('keep', given.flag('keep') || undefined),
  };
  const own =
    (request.events !== undefined || request.triggers !== undefined || tracer !== undefined) &&
    (tracer === undefined || instanceTracers.has(tracer));
  const instance = named ?? (own ? ownInstance : 'top');
  const whole = instance === 'top' ? request : { ...request, instance };
  return Object.keys(whole).length === 0 ? undefined : checked(whole);
}

/** Which option each is from, for errors about its form. */
const optionOf: Readonly<Record<keyof TraceRequest, string>> = {
  instance: '--instance',
  events: '--event',
  eventsOff: '--event',
  filters: '--filter',
  triggers: '--trigger',
  tracer: '--plugin',
  functionFilter: '--function',
  functionNotrace: '--notrace',
  graphFunctions: '--graph',
  clock: '--clock',
  bufferKb: '--buffer-size',
  bufferPercent: 'bufferPercent',
  subBufferKb: '--subbuf-size',
  options: '--option',
  pids: '--pid',
  children: '--children',
  cpuMask: '--cpumask',
  maxGraphDepth: '--max-graph-depth',
  keep: '--keep',
  printk: '--trace-printk',
};

/** So that what the guest's agent would refuse for its form is refused here, in the user's words. */
function checked(request: TraceRequest): TraceRequest {
  // names of events are patterns yet, and are looked up in the guest
  const { events: _, eventsOff: __, filters = {}, triggers = {}, ...rest } = request;
  try {
    for (const [event, filter] of Object.entries(filters)) readFilter(`--filter of ${event}`, filter);
    for (const [event, each] of Object.entries(triggers)) {
      for (const trigger of each) readTrigger(`--trigger of ${event}`, trigger);
    }
    parseTraceRequest(rest, (field) => optionOf[field]);
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    // which of several is told by its text
    const message = cause.message.replace(/^(--[\w-]+)\[\d+\]/, '$1');
    throw new Failure(exitCode.usage, message, 'see trace-host record --help', { cause });
  }
  return request;
}

/** What trace-cmd takes more than once with another meaning: the last one alone would be another trace. */
const once = {
  instance: '--instance: a recording is of one instance',
  plugin: '--plugin: a recording has one tracer',
  module: '--module: the functions of a recording are of one module, or of all',
} as const;

function mustBeOnce(given: Given): void {
  for (const [option, why] of Object.entries(once)) {
    if (given.sequence.filter(({ name }) => name === option).length < 2) continue;
    throw new Failure(exitCode.usage, why, 'give it once, and record again for the other');
  }
}

function readFunctions(given: Given): TraceRequest {
  const module = given.get(hostSettings.module);
  const named = given.get(hostSettings.function);
  const ofModule =
    module === undefined ? named : (named ?? ['']).map((pattern) => `${pattern}:mod:${module}`);
  return {
    ...optional('functionFilter', ofModule),
    ...optional('functionNotrace', given.get(hostSettings.notrace)),
    ...optional('graphFunctions', given.get(hostSettings.graph)),
  };
}

/** The kernel has no other name for an option that is off than this one. */
function readOptions(given: Given): Readonly<Record<string, boolean>> | undefined {
  const stack = given.flag('functionStack');
  const isFiltered =
    given.get(hostSettings.function) !== undefined || given.get(hostSettings.module) !== undefined;
  if (stack && (given.get(hostSettings.plugin) !== 'function' || !isFiltered))
    throw new Failure(
      exitCode.usage,
      '--func-stack of all functions is more than a machine can bear',
      'add -p function and -l FUNC',
    );
  const options = new Map<string, boolean>();
  for (const option of given.get(hostSettings.option) ?? []) {
    if (option.startsWith('no')) options.set(option.slice(2), false);
    else options.set(option, true);
  }
  if (given.flag('stackTrace')) options.set('stacktrace', true);
  if (stack) options.set('func_stack_trace', true);
  if (given.flag('withoutFunctions')) options.set('function-trace', false);
  return options.size === 0 ? undefined : Object.fromEntries(options);
}

function readTasks(given: Given): TraceRequest {
  const pids = given.get(hostSettings.pid);
  const children = given.flag('children');
  if (children && pids === undefined)
    throw new Failure(exitCode.usage, '--children is nothing without --pid', 'add -P PID');
  return { ...optional('pids', pids), ...optional('children', children || undefined) };
}

/** Events, those to leave out, and what belongs to the -e before it: filters and triggers. */
function readEvents(given: Given): Pick<TraceRequest, 'events' | 'eventsOff' | 'filters' | 'triggers'> {
  const events: string[] = [];
  const eventsOff: string[] = [];
  const filters = new Map<string, string>();
  const triggers = new Map<string, string[]>();
  let negated = false;
  let last: string | undefined;
  for (const { name, text } of given.sequence) {
    if (name === 'not') negated = true;
    if (name === 'event') {
      last = text;
      (negated ? eventsOff : events).push(text);
    }
    if (name === 'trigger') {
      const event = eventBefore(last, '--trigger', text);
      triggers.set(event, [...(triggers.get(event) ?? []), text]);
    }
    if (name !== 'filter') continue;
    const event = eventBefore(negated ? undefined : last, '--filter', text);
    const before = filters.get(event);
    filters.set(event, before === undefined ? text : `(${before}) && (${text})`);
  }
  return {
    ...(events.length > 0 ? { events } : {}),
    ...(eventsOff.length > 0 ? { eventsOff } : {}),
    // fromEntries makes own fields, so "__proto__" is a name like any other
    ...(filters.size > 0 ? { filters: Object.fromEntries(filters) } : {}),
    ...(triggers.size > 0 ? { triggers: Object.fromEntries(triggers) } : {}),
  };
}

function eventBefore(event: string | undefined, option: string, text: string): string {
  if (event !== undefined) return event;
  throw new Failure(
    exitCode.usage,
    `${option}: no event is before ${text}`,
    'give it behind the -e it is for',
  );
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [K in Name]?: Value } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key is wider to the compiler than it is
  return (value === undefined ? {} : { [name]: value }) as { readonly [K in Name]?: Value };
}
