import { isObject, typeName } from '../json-type.ts';
import { quoted } from '../quoted.ts';
import type { TraceRequest } from './control.ts';
import { Refusal } from './refusal.ts';

const maxEvents = 1024;
const maxFilters = 256;
/** The kernel takes a filter of less than a page. */
const maxFilterLength = 4095;
const maxNameLength = 255;
/** The kernel compares each with all of its functions, some milliseconds in a guest. */
const maxFunctions = 256;
/**
 * What the kernel takes for names: no blank, which ends one, no "!" before it, which would take it away, and no
 * "name:command", which would plant a trigger that outlives the trace.
 */
const functionPattern = /^[\w.$*?[][\w.$*?[\]^!-]*$/;
/** Also `pattern:mod:module`, with an empty pattern for all that the module has. */
const functionOrModule = /^(?:[\w.$*?[][\w.$*?[\]^!-]*)?(?::mod:[\w.*-]+)?(?<=.)$/;
/** 16 GiB a CPU: above any ring that a guest has, below what overflows in the kernel. */
export const maxBufferKb = 16 * 1024 * 1024;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const readers: {
  readonly [Field in keyof TraceRequest]-?: (value: unknown, into: Mutable<TraceRequest>) => void;
} = {
  instance: (value, into) => {
    into.instance = readName('trace.instance', value, /^[\w-][\w.-]{0,63}$/);
  },
  events: (value, into) => {
    into.events = readEvents('trace.events', value);
  },
  eventsOff: (value, into) => {
    into.eventsOff = readEvents('trace.eventsOff', value);
  },
  filters: (value, into) => {
    into.filters = readFilters(value);
  },
  tracer: (value, into) => {
    into.tracer = readName('trace.tracer', value, /^[\w-]+$/);
  },
  functionFilter: (value, into) => {
    into.functionFilter = readFunctions('trace.functionFilter', value, functionOrModule);
  },
  functionNotrace: (value, into) => {
    into.functionNotrace = readFunctions('trace.functionNotrace', value, functionOrModule);
  },
  graphFunctions: (value, into) => {
    into.graphFunctions = readFunctions('trace.graphFunctions', value, functionPattern);
  },
  clock: (value, into) => {
    into.clock = readName('trace.clock', value, /^[\w-]+$/);
  },
  bufferKb: (value, into) => {
    into.bufferKb = readInteger('trace.bufferKb', value, 1, maxBufferKb);
  },
  bufferPercent: (value, into) => {
    into.bufferPercent = readInteger('trace.bufferPercent', value, 0, 100);
  },
  printk: (value, into) => {
    into.printk = readBoolean('trace.printk', value);
  },
};

/**
 * Checks the form of a start order's `trace`: types, ranges, and that no name leads out of tracefs. Whether the
 * kernel knows those names is for src/tracefs to say. Throws Refusal.
 */
export function parseTraceRequest(value: unknown): TraceRequest {
  if (!isObject(value)) throw new Refusal('bad-trace', `trace is an object, not ${typeName(value)}`);
  const request: Mutable<TraceRequest> = {};
  for (const field of Object.keys(value)) {
    if (!isField(field)) {
      const known = Object.keys(readers).join(', ');
      throw new Refusal('unknown-field', `trace has no field ${quoted(field)}; it has ${known}`);
    }
    readers[field](value[field], request);
  }
  return request;
}

function isField(name: string): name is keyof TraceRequest {
  return Object.hasOwn(readers, name);
}

function readList(where: string, value: unknown, maxEntries: number): unknown[] {
  if (!Array.isArray(value)) throw new Refusal('bad-trace', `${where} is an array, not ${typeName(value)}`);
  if (value.length > maxEntries)
    throw new Refusal('bad-trace', `${where} has ${value.length} entries; ${maxEntries} at most`);
  return value;
}

function readEvents(where: string, value: unknown): string[] {
  return readList(where, value, maxEvents).map((event, index) => readEventName(`${where}[${index}]`, event));
}

function readFunctions(where: string, value: unknown, form: RegExp): string[] {
  return readList(where, value, maxFunctions).map((name, index) => {
    if (typeof name === 'string' && Buffer.byteLength(name) <= maxNameLength && form.test(name)) return name;
    const given = typeof name === 'string' ? quoted(name) : typeName(name);
    throw new Refusal(
      'bad-trace',
      `${where}[${index}] is a function's name or a pattern with "*", not ${given}`,
    );
  });
}

function readFilters(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) throw new Refusal('bad-trace', `trace.filters is an object, not ${typeName(value)}`);
  const entries = Object.entries(value);
  if (entries.length > maxFilters)
    throw new Refusal('bad-trace', `trace.filters has ${entries.length} entries; ${maxFilters} at most`);
  // fromEntries defines own fields, so "__proto__" is a name like any other
  return Object.fromEntries(
    entries.map(([event, filter]) => [
      readEventName('a name in trace.filters', event),
      readFilter(event, filter),
    ]),
  );
}

function readEventName(where: string, value: unknown): string {
  const form = /^\w[\w.-]*(:\w[\w.-]*)?$/;
  if (typeof value === 'string' && value.length <= maxNameLength && form.test(value)) return value;
  const given = typeof value === 'string' ? quoted(value) : typeName(value);
  throw new Refusal('bad-trace', `${where} is "system" or "system:event", not ${given}`);
}

function readFilter(event: string, value: unknown): string {
  const where = `trace.filters[${quoted(event)}]`;
  if (typeof value !== 'string')
    throw new Refusal('bad-trace', `${where} is a string, not ${typeName(value)}`);
  if (value.trim() === '' || Buffer.byteLength(value) > maxFilterLength || hasControlCharacter(value))
    throw new Refusal('bad-trace', `${where} is one line of 1 to ${maxFilterLength} bytes`);
  return value;
}

function readName(where: string, value: unknown, form: RegExp): string {
  if (typeof value === 'string' && Buffer.byteLength(value) <= maxNameLength && form.test(value))
    return value;
  const given = typeof value === 'string' ? quoted(value) : typeName(value);
  throw new Refusal('bad-trace', `${where} is a name, not ${given}`);
}

function readInteger(where: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const given = typeof value === 'number' ? String(value) : typeName(value);
  throw new Refusal('bad-trace', `${where} is an integer from ${least} to ${most}, not ${given}`);
}

function readBoolean(where: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new Refusal('bad-trace', `${where} is true or false, not ${typeName(value)}`);
}

function hasControlCharacter(text: string): boolean {
  for (const character of text) if (character < ' ' || character === '\x7f') return true;
  return false;
}
