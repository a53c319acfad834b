import { basename, dirname, extname, join } from 'node:path';
import { exitCode, Failure } from '../failure.ts';
import type { RecordOptions } from '../host/record/contract.ts';
import type { TraceRequest } from '../protocol/control.ts';
import { readForm } from './host-convert-options.ts';
import type { Given } from './host-given.ts';
import { hostSettings } from './host-settings.ts';

export interface RecordCommand extends RecordOptions {
  readonly json: boolean;
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
    json: given.flag('json'),
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
  const clock = given.get(hostSettings.clock);
  const bufferKb = given.get(hostSettings.bufferSize);
  const named = given.get(hostSettings.instance);
  const request = {
    ...readEvents(given),
    ...optional('functionFilter', given.get(hostSettings.function)),
    ...optional('functionNotrace', given.get(hostSettings.notrace)),
    ...optional('graphFunctions', given.get(hostSettings.graph)),
    ...optional('tracer', tracer),
    ...optional('clock', clock),
    ...optional('bufferKb', bufferKb),
    ...(given.flag('printk') ? { printk: true } : {}),
  };
  const own =
    (request.events !== undefined || tracer !== undefined) &&
    (tracer === undefined || instanceTracers.has(tracer));
  const instance = named ?? (own ? ownInstance : 'top');
  const whole = instance === 'top' ? request : { ...request, instance };
  return Object.keys(whole).length === 0 ? undefined : whole;
}

/** Events, those to leave out, and filters; a filter belongs to the -e before it. */
function readEvents(given: Given): Pick<TraceRequest, 'events' | 'eventsOff' | 'filters'> {
  const events: string[] = [];
  const eventsOff: string[] = [];
  const filters = new Map<string, string>();
  let negated = false;
  let last: string | undefined;
  for (const { name, text } of given.sequence) {
    if (name === 'not') negated = true;
    if (name === 'event') {
      last = negated ? undefined : text;
      (negated ? eventsOff : events).push(text);
    }
    if (name !== 'filter') continue;
    if (last === undefined) {
      throw new Failure(
        exitCode.usage,
        `--filter: no event is before ${text}`,
        'give it behind the -e it is for',
      );
    }
    const before = filters.get(last);
    filters.set(last, before === undefined ? text : `(${before}) && (${text})`);
  }
  return {
    ...(events.length > 0 ? { events } : {}),
    ...(eventsOff.length > 0 ? { eventsOff } : {}),
    // fromEntries makes own fields, so "__proto__" is a name like any other
    ...(filters.size > 0 ? { filters: Object.fromEntries(filters) } : {}),
  };
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [K in Name]?: Value } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key is wider to the compiler than it is
  return (value === undefined ? {} : { [name]: value }) as { readonly [K in Name]?: Value };
}
