import { basename, dirname, extname, join } from 'node:path';
import { exitCode, Failure } from '../../../base/failure.ts';
import type { GuestLocation } from '../../../host/guest-dir/location.ts';
import type {
  HostTarget,
  RecordOptions,
  RecordTarget,
  RotationOptions,
} from '../../../host/record/contract.ts';
import type { TraceRequest } from '../../../protocol/control.ts';
import { Refusal } from '../../../protocol/refusal.ts';
import { parseTraceRequest, readFilter, readTrigger } from '../../../protocol/trace-request.ts';
import { readForm } from './convert-options.ts';
import { type Given, type GivenOptions, givenPart, type GivenWord } from './given.ts';
import { hostSettings } from './host-settings.ts';
import { type Section, sectionsOf, split } from './sections.ts';

export interface RecordCommand extends Omit<RecordOptions, 'host' | 'rotation'> {
  /** This host; the caller adds the command that runs this program again, here and in `rotation`. */
  readonly host: Omit<HostTarget, 'command'> | undefined;
  readonly rotation: Omit<RotationOptions, 'command'> | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Print the events during the recording. */
  readonly print: boolean;
  /** Remarks about the given options, for the user. */
  readonly remarks: readonly string[];
}

/** Name of the recording's own instance, if none is given. */
const ownInstance = 'trace-host';
/** Tracers that work in any instance; most kernels allow the others only at the top level. */
const instanceTracers: ReadonlySet<string> = new Set(['nop', 'function']);

/** What to record, if another command than `record` says it. */
interface Recorded {
  /** The options of all machines, in order. */
  readonly sequence?: readonly GivenWord[];
  readonly location?: GuestLocation;
  readonly withHost?: boolean;
}

/** Throws Failure (usage). */
export function readRecord(
  given: Given,
  { sequence = given.sequence, location = given.location(), withHost = given.flag('host') }: Recorded = {},
): RecordCommand {
  const names = given.get(hostSettings.guests) ?? [];
  if (names.length > 0 && location.guest !== undefined) {
    throw new Failure(exitCode.usage, '--guest conflicts with --agent', 'use --agent for all guests');
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new Failure(exitCode.usage, `--agent: ${twice} is given twice`, 'give it once');
  if (given.flag('host') && location.guest !== undefined)
    throw new Failure(exitCode.usage, '--host conflicts with --guest', 'use --agent for guests');
  const print = given.flag('print');
  const { host, guests } = sectionsOf(sequence, withHost);
  if (print && guests.length + (host === undefined ? 0 : 1) > 1)
    throw new Failure(
      exitCode.usage,
      '--print works with a single guest',
      'print each guest in a terminal of its own: trace-host report --follow FILE',
    );
  if (print && given.flag('json'))
    throw new Failure(exitCode.usage, '--print conflicts with --json', 'omit one of the two options');
  const out = given.read(hostSettings.output);
  const maxKb = given.get(hostSettings.maxKb);
  for (const words of split(sequence)) checkGivenOnce(words);
  const target = (section: Section, file: string): RecordTarget => ({
    out: file,
    trace: readTrace(givenPart(section.words), host !== undefined),
    skipUnknown: given.flag('ignoreUnknown') || section.taken,
  });
  return {
    guests: guests.map((section, index) => {
      const guest = names[index];
      if (guest === undefined) return { location, ...target(section, out) };
      return { location: { ...location, guest }, ...target(section, fileOf(out, guest)) };
    }),
    host: host === undefined ? undefined : hostTarget(target(host, out)),
    capBytes: maxKb === undefined ? undefined : maxKb * 1024,
    durationMs: given.get(hostSettings.duration),
    maxBytes: given.get(hostSettings.maxSize),
    command: given.operands,
    commandOutput: given.flag('json') || print ? 'stderr' : 'stdout',
    timeoutMs: given.read(hostSettings.timeout),
    ...readForm(given),
    rotation: readRotation(given, out),
    json: given.flag('json'),
    quiet: given.flag('quiet'),
    print,
    remarks: given.remarks,
  };
}

function readRotation(given: Given, base: string): Omit<RotationOptions, 'command'> | undefined {
  const rotate = given.get(hostSettings.rotate);
  const keep = given.get(hostSettings.keepSets);
  if (rotate === undefined) {
    if (keep === undefined) return undefined;
    throw new Failure(
      exitCode.usage,
      '--keep only works with --rotate',
      'add --rotate, or use -k to keep the trace settings in the guest',
    );
  }
  if (given.get(hostSettings.maxKb) !== undefined)
    throw new Failure(
      exitCode.usage,
      '--max-kb conflicts with --rotate',
      'to keep only the newest data, use --rotate SIZE --keep N',
    );
  if (given.flag('print'))
    throw new Failure(
      exitCode.usage,
      '--print conflicts with --rotate',
      'print one file while it is written: trace-host report --follow FILE.recording',
    );
  return { ...rotate, keep, base };
}

/** Inserts the guest's name like trace-cmd: trace.dat of guest web becomes trace-web.dat. */
function fileOf(out: string, guest: string): string {
  const extension = extname(out);
  return join(dirname(out), `${basename(out, extension)}-${guest}${extension}`);
}

/** How to trace this host: only what the options select, in an instance that the host's agent names. */
function hostTarget(target: RecordTarget): Omit<HostTarget, 'command'> {
  const { trace } = target;
  if (trace?.events === undefined && trace?.tracer === undefined)
    throw new Failure(exitCode.usage, '--host: no option says what to trace', 'add -e EVENT, or -p TRACER');
  const { instance, ...rest } = trace;
  if (instance !== ownInstance) return { ...target, place: 'top' };
  if (trace.keep === true)
    throw new Failure(
      exitCode.usage,
      '--keep-settings: the instance of a recording of this host is removed at its end',
      'name another one with -B NAME',
    );
  return { ...target, trace: rest, place: 'own' };
}

/**
 * The trace request for a machine; undefined if no option selects what to trace.
 * @param together whether host and guests are recorded together; in that case, they use a clock that all of them have
 */
function readTrace(given: GivenOptions, together: boolean): TraceRequest | undefined {
  const tracer = given.get(hostSettings.plugin);
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
  // another clock at the top level would empty its rings
  const clock = together && request.clock === undefined && instance !== 'top' ? { clock: 'boot' } : {};
  const whole = instance === 'top' ? request : { ...request, ...clock, instance };
  return Object.keys(whole).length === 0 ? undefined : checked(whole);
}

/** The option that sets each field, for error messages. */
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
  keep: '--keep-settings',
  printk: '--trace-printk',
};

/** Rejects here what the guest's agent would reject, with a message that names the option. */
function checked(request: TraceRequest): TraceRequest {
  // event names are still patterns here; they are resolved in the guest
  const { events: _, eventsOff: __, filters = {}, triggers = {}, ...rest } = request;
  try {
    for (const [event, filter] of Object.entries(filters)) readFilter(`--filter of ${event}`, filter);
    for (const [event, each] of Object.entries(triggers)) {
      for (const trigger of each) readTrigger(`--trigger of ${event}`, trigger);
    }
    parseTraceRequest(rest, (field) => optionOf[field]);
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    // drop the index: the message quotes the value
    const message = cause.message.replace(/^(--[\w-]+)\[\d+\]/, '$1');
    throw new Failure(exitCode.usage, message, 'see trace-host record --help', { cause });
  }
  return request;
}

/** Options that have another meaning in trace-cmd when repeated: using only the last would record something else. */
const once = {
  instance: '--instance: a recording can only have one instance',
  plugin: '--plugin: a recording can only have one tracer',
  module: '--module: a recording can only be limited to one module',
} as const;

function checkGivenOnce(words: readonly GivenWord[]): void {
  for (const [option, why] of Object.entries(once)) {
    if (words.filter(({ name }) => name === option).length < 2) continue;
    throw new Failure(exitCode.usage, why, 'use it once, and make a second recording for the other');
  }
}

function readFunctions(given: GivenOptions): TraceRequest {
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

/** Trace options by name; a leading `no` switches an option off, as in the kernel. */
function readOptions(given: GivenOptions): Readonly<Record<string, boolean>> | undefined {
  const stack = given.flag('functionStack');
  const isFiltered =
    given.get(hostSettings.function) !== undefined || given.get(hostSettings.module) !== undefined;
  if (stack && (given.get(hostSettings.plugin) !== 'function' || !isFiltered))
    throw new Failure(
      exitCode.usage,
      '--func-stack for all functions would overload the machine',
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

function readTasks(given: GivenOptions): TraceRequest {
  const pids = given.get(hostSettings.pid);
  const children = given.flag('children');
  if (children && pids === undefined)
    throw new Failure(exitCode.usage, '--children only works with --pid', 'add -P PID');
  return { ...optional('pids', pids), ...optional('children', children || undefined) };
}

/** Events to trace and to exclude, and the filters and triggers of the preceding -e. */
function readEvents(
  given: GivenOptions,
): Pick<TraceRequest, 'events' | 'eventsOff' | 'filters' | 'triggers'> {
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
    // fromEntries creates own properties, so "__proto__" is an ordinary name
    ...(filters.size > 0 ? { filters: Object.fromEntries(filters) } : {}),
    ...(triggers.size > 0 ? { triggers: Object.fromEntries(triggers) } : {}),
  };
}

function eventBefore(event: string | undefined, option: string, text: string): string {
  if (event !== undefined) return event;
  throw new Failure(
    exitCode.usage,
    `${option}: no -e before ${text}`,
    'put it after the -e that it applies to',
  );
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [K in Name]?: Value } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key is wider to the compiler than it is
  return (value === undefined ? {} : { [name]: value }) as { readonly [K in Name]?: Value };
}
