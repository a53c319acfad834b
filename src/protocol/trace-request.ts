import { isObject, typeName } from '../base/json-type.ts';
import { quoted } from '../base/quoted.ts';
import type { TraceRequest } from './control.ts';
import { parseEventSpec } from './event-name.ts';
import { Refusal } from './refusal.ts';

/** Maximum number of events per order. Debian's 6.18 kernel with all modules loaded has 2,323 events. */
const maxEvents = 4096;
/**
 * Maximum number of filters per order. Removing a filter takes the kernel 10 to 40 ms, because it waits for all CPUs.
 */
export const maxFilters = 512;
/** Maximum number of triggers of all events together: removing one takes as long as removing a filter. */
export const maxTriggers = 512;
const maxOptions = 256;
const maxPids = 1024;
/** Maximum length of a filter or trigger: the kernel accepts only those that are shorter than a page. */
export const maxCommandBytes = 4095;
const maxNameLength = 255;
/** The kernel's own limit, PID_MAX_LIMIT. */
export const maxPid = 4 * 1024 * 1024;
/** The length of a mask of 8192 CPUs: 256 groups of eight digits and a comma. */
const maxMaskLength = 9 * 256;
/**
 * Maximum sub-buffer size of an order. It is higher than any kernel's limit; a kernel refuses what it does not support.
 */
export const maxSubBufferKb = 8 * 1024;
/**
 * Maximum number of functions per list: the kernel compares each with all of its functions, which takes some ms in a
 * guest.
 */
const maxFunctions = 256;
/**
 * Function names for the kernel: no whitespace, which would end the name; no leading "!", which would remove it; no
 * "name:command", which would set a trigger that outlives the trace.
 */
const functionPattern = /^[\w.$*?[][\w.$*?[\]^!-]*$/;
/** A function name as above, or `pattern:mod:module`; an empty pattern stands for all functions of the module. */
const functionOrModule = /^(?:[\w.$*?[][\w.$*?[\]^!-]*)?(?::mod:[\w.*-]+)?(?<=.)$/;
/** 16 GiB per CPU: larger than any guest's ring, and too small to overflow in the kernel. */
export const maxBufferKb = 16 * 1024 * 1024;
/** Maximum call depth of an order: deeper than any stack. */
export const maxGraphDepth = 1 << 20;

/** @param name what the field is called in an error */
type FieldReader<Value> = (name: string, value: unknown) => Value;

type Fields = Required<TraceRequest>;

const readers: { readonly [Field in keyof Fields]: FieldReader<Fields[Field]> } = {
  instance: (name, value) => readName(name, value, /^[\w-][\w.-]{0,63}$/),
  events: readEvents,
  eventsOff: readEvents,
  filters: readFilters,
  tracer: (name, value) => readName(name, value, /^[\w-]+$/),
  functionFilter: (name, value) => readFunctions(name, value, functionOrModule),
  functionNotrace: (name, value) => readFunctions(name, value, functionOrModule),
  graphFunctions: (name, value) => readFunctions(name, value, functionPattern),
  clock: (name, value) => readName(name, value, /^[\w-]+$/),
  bufferKb: (name, value) => readInteger(name, value, 1, maxBufferKb),
  bufferPercent: (name, value) => readInteger(name, value, 0, 100),
  subBufferKb: (name, value) => readInteger(name, value, 1, maxSubBufferKb),
  triggers: readTriggers,
  options: readOptions,
  pids: (name, value) =>
    readList(name, value, maxPids).map((pid, index) => readInteger(`${name}[${index}]`, pid, 1, maxPid)),
  children: readFlag,
  cpuMask: readCpuMask,
  maxGraphDepth: (name, value) => readInteger(name, value, 0, maxGraphDepth),
  keep: readFlag,
  printk: readFlag,
};

/**
 * Checks the form of a start order's `trace`: types, ranges, and that no name leads out of tracefs. src/tracefs
 * checks whether the kernel knows the names. Throws Refusal.
 * @param nameOf the name of a field in errors
 */
export function parseTraceRequest(
  value: unknown,
  nameOf = (field: keyof TraceRequest): string => `trace.${field}`,
): TraceRequest {
  if (!isObject(value)) throw new Refusal('bad-trace', `trace must be an object, not ${typeName(value)}`);
  const request: TraceRequest = {};
  for (const field of Object.keys(value)) {
    if (!isField(field)) {
      const known = Object.keys(readers).join(', ');
      throw new Refusal('unknown-field', `trace has no field ${quoted(field)}; it has ${known}`);
    }
    Object.assign(request, { [field]: readers[field](nameOf(field), value[field]) });
  }
  return request;
}

function isField(name: string): name is keyof TraceRequest {
  return Object.hasOwn(readers, name);
}

function readList(where: string, value: unknown, maxEntries: number): unknown[] {
  if (!Array.isArray(value))
    throw new Refusal('bad-trace', `${where} must be an array, not ${typeName(value)}`);
  if (value.length > maxEntries)
    throw new Refusal('bad-trace', `${where} has ${value.length} entries; at most ${maxEntries} are allowed`);
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
      `${where}[${index}] must be the name of a function or a pattern with "*", not ${given}`,
    );
  });
}

function readFilters(where: string, value: unknown): Readonly<Record<string, string>> {
  return readRecord(where, value, maxFilters, (event, filter) => {
    readEventName(`a name in ${where}`, event);
    return readFilter(`${where}[${quoted(event)}]`, filter);
  });
}

function readTriggers(where: string, value: unknown): Readonly<Record<string, readonly string[]>> {
  const triggers = readRecord(where, value, maxTriggers, (event, each) => {
    readEventName(`a name in ${where}`, event);
    if (!event.includes(':'))
      throw new Refusal(
        'bad-trace',
        `a name in ${where} must have the form "system:event", not ${quoted(event)}`,
      );
    const name = `${where}[${quoted(event)}]`;
    return readList(name, each, maxTriggers).map((trigger, index) => {
      const command = readTrigger(`${name}[${index}]`, trigger);
      if (!command.startsWith('!')) return command;
      throw new Refusal('bad-trace', `${name}[${index}] removes a trigger; give one to set`);
    });
  });
  const count = Object.values(triggers).flat().length;
  if (count <= maxTriggers) return triggers;
  throw new Refusal('bad-trace', `${where} has ${count} triggers; at most ${maxTriggers} are allowed`);
}

function readOptions(where: string, value: unknown): Readonly<Record<string, boolean>> {
  return readRecord(where, value, maxOptions, (option, on) => {
    readName(`a name in ${where}`, option, /^[\w-]+$/);
    return readFlag(`${where}[${quoted(option)}]`, on);
  });
}

function readRecord<Value>(
  where: string,
  value: unknown,
  maxEntries: number,
  each: (name: string, value: unknown) => Value,
): Readonly<Record<string, Value>> {
  if (!isObject(value)) throw new Refusal('bad-trace', `${where} must be an object, not ${typeName(value)}`);
  const entries = Object.entries(value);
  if (entries.length > maxEntries)
    throw new Refusal(
      'bad-trace',
      `${where} has ${entries.length} entries; at most ${maxEntries} are allowed`,
    );
  // fromEntries defines own fields, so "__proto__" is a name like any other
  return Object.fromEntries(entries.map(([name, entry]) => [name, each(name, entry)]));
}

function readEventName(where: string, value: unknown): string {
  // only the form with a colon is accepted, so that duplicates are noticed
  if (typeof value === 'string' && !value.includes('/') && parseEventSpec(value) !== undefined) return value;
  const given = typeof value === 'string' ? quoted(value) : typeName(value);
  throw new Refusal('bad-trace', `${where} must be "system" or "system:event", not ${given}`);
}

/** Throws Refusal. */
export function readFilter(where: string, value: unknown): string {
  return readCommand(where, value, maxCommandBytes);
}

/**
 * A trigger is removed by writing it with a leading `!`, so it must be one byte shorter than a filter. Throws
 * Refusal.
 */
export function readTrigger(where: string, value: unknown): string {
  return readCommand(where, value, maxCommandBytes - 1);
}

/**
 * Reads one line that the kernel will parse, and trims it; the kernel ignores leading and trailing whitespace anyway.
 */
function readCommand(where: string, value: unknown, maxBytes: number): string {
  if (typeof value !== 'string')
    throw new Refusal('bad-trace', `${where} must be a string, not ${typeName(value)}`);
  const command = value.trim();
  if (command === '' || Buffer.byteLength(command) > maxBytes || hasControlCharacter(command))
    throw new Refusal('bad-trace', `${where} must be one line of 1 to ${maxBytes} bytes`);
  return command;
}

function readFlag(where: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new Refusal('bad-trace', `${where} is true or false, not ${typeName(value)}`);
}

function readCpuMask(where: string, value: unknown): string {
  const form = /^(?:-1|[\da-f]{1,8}(?:,[\da-f]{8})*)$/i;
  if (typeof value === 'string' && value.length <= maxMaskLength && form.test(value)) return value;
  const given = typeof value === 'string' ? quoted(value) : typeName(value);
  throw new Refusal(
    'bad-trace',
    `${where} must be a hexadecimal mask of CPUs such as "f", or "-1", not ${given}`,
  );
}

function readName(where: string, value: unknown, form: RegExp): string {
  if (typeof value === 'string' && Buffer.byteLength(value) <= maxNameLength && form.test(value))
    return value;
  const given = typeof value === 'string' ? quoted(value) : typeName(value);
  throw new Refusal('bad-trace', `${where} must be a name, not ${given}`);
}

function readInteger(where: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const given = typeof value === 'number' ? String(value) : typeName(value);
  throw new Refusal('bad-trace', `${where} must be an integer from ${least} to ${most}, not ${given}`);
}

function hasControlCharacter(text: string): boolean {
  for (const character of text)
    if ((character < ' ' && character !== '\t') || character === '\x7f') return true;
  return false;
}
