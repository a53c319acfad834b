import { maxCpus } from '../../base/cpu-list.ts';
import type {
  AgentState,
  AnswerOf,
  CpuAccount,
  CpuBaseline,
  CpuLedger,
  CpuStatus,
  ErrorAnswer,
  OrderId,
  OrderName,
  PerCpu,
  RingStats,
  TraceSource,
} from '../../protocol/control.ts';
import { agentStates, cpuStates, errorCodes } from '../../protocol/control.ts';
import { isGroup, maxGroups } from '../../protocol/metadata-groups.ts';
import { isObject, typeName } from '../../base/json-type.ts';
import { printable } from '../../base/quoted.ts';
import { maxPageBytes, minPageBytes } from '../../trace/metadata/usual-layout.ts';

/** Maximum size of packed metadata; a Debian guest's, with all symbols, takes 1.1 MiB. */
export const maxMetadataBytes = 16 * 1024 * 1024;
const maxTextLength = 1000;

/** An answer that violates docs/protocol.md; the message says how, and is safe to print on a terminal. */
export class BadAnswer extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BadAnswer';
  }
}

const parsers: { readonly [Name in OrderName]: (id: OrderId, fields: Fields) => AnswerOf[Name] } = {
  start: (id, fields) => ({
    id,
    ok: true,
    state: readState(fields),
    ...readSource(fields),
    ...(fields['cpus'] === undefined ? {} : { cpus: readPerCpu(fields, 'cpus', readBaseline) }),
  }),
  stop: (id, fields) => ({
    id,
    ok: true,
    state: readState(fields),
    ...readSource(fields),
    ledger: readPerCpu(fields, 'ledger', readLedger),
  }),
  status: (id, fields) => ({
    id,
    ok: true,
    version: readText(fields, 'version'),
    uptimeMs: readCount(fields, 'uptimeMs'),
    state: readState(fields),
    ...readSource(fields),
    cpus: readPerCpu(fields, 'cpus', readCpuStatus),
  }),
  metadata: (id, fields) => {
    if (fields['encoding'] !== 'gzip') throw new BadAnswer('its encoding is not gzip');
    const bytes = readCount(fields, 'bytes');
    if (bytes > maxMetadataBytes)
      throw new BadAnswer(`it announces ${bytes} bytes of metadata; the limit is ${maxMetadataBytes}`);
    const same = fields['same'] === undefined ? {} : { same: readGroups(fields['same']) };
    return { id, ok: true, bytes, encoding: 'gzip', ...same };
  },
  ping: (id, fields) => {
    const clocks = readObject(fields, 'clocks');
    return {
      id,
      ok: true,
      clocks: {
        boottime: readNs(clocks, 'boottime'),
        monotonicRaw: readNs(clocks, 'monotonicRaw'),
        realtime: readNs(clocks, 'realtime'),
        ...(clocks['monotonic'] !== undefined && { monotonic: readNs(clocks, 'monotonic') }),
        ...(clocks['x86Tsc'] !== undefined && { x86Tsc: readNs(clocks, 'x86Tsc') }),
      },
    };
  },
};

/**
 * Checks a guest's answer: types and ranges; texts are made safe for a terminal. Unknown fields are ignored, as a newer
 * agent may send more. Pure.
 * @param order the order that was answered
 * @throws BadAnswer
 */
export function parseAnswer<Name extends OrderName>(
  order: Name,
  id: OrderId,
  value: unknown,
): AnswerOf[Name] | ErrorAnswer {
  if (!isObject(value)) throw new BadAnswer(`it is ${typeName(value)}`);
  if (value['ok'] === false) return { id, ok: false, error: readError(value) };
  if (value['ok'] !== true) throw new BadAnswer('its ok is neither true nor false');
  return parsers[order](id, value);
}

type Fields = Readonly<Record<string, unknown>>;

function readError(fields: Fields): ErrorAnswer['error'] {
  const error = readObject(fields, 'error');
  const code = errorCodes.find((known) => known === error['code']) ?? 'failed';
  return { code, message: readText(error, 'message') };
}

function readObject(fields: Fields, name: string): Fields {
  const value = fields[name];
  if (isObject(value)) return value;
  throw wrong(name, 'an object', value);
}

function readText(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw wrong(name, 'a string', value);
  return printable(value.length > maxTextLength ? `${value.slice(0, maxTextLength)}…` : value);
}

function readCount(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(name, 'a whole number', value);
}

function readBoolean(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value === 'boolean') return value;
  throw wrong(name, 'true or false', value);
}

/** Reads nanoseconds in decimal, up to 2^64, the kernel's own range. */
function readNs(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && /^\d{1,20}$/.test(value) && BigInt(value) < 1n << 64n) return value;
  throw wrong(name, 'nanoseconds in decimal', value);
}

function readState(fields: Fields): AgentState {
  const state = agentStates.find((known) => known === fields['state']);
  if (state !== undefined) return state;
  throw wrong('state', `one of ${agentStates.join(', ')}`, fields['state']);
}

function readSource(fields: Fields): TraceSource {
  const { instance, clock } = fields;
  // Clock and instance may become part of a file or of a file name: accept only names that a kernel uses.
  if (typeof clock !== 'string' || !/^[\w-]{1,64}$/.test(clock)) throw wrong('clock', 'a clock', clock);
  if (instance !== null && (typeof instance !== 'string' || !/^[\w-][\w.-]{0,63}$/.test(instance)))
    throw wrong('instance', 'the name of one', instance);
  const pageBytes = readCount(fields, 'pageBytes');
  if (pageBytes < minPageBytes || pageBytes > maxPageBytes)
    throw new BadAnswer(`its pageBytes is ${pageBytes}, not from ${minPageBytes} to ${maxPageBytes}`);
  return { instance, clock, pageBytes };
}

function readPerCpu<T>(fields: Fields, name: string, read: (cpu: Fields) => T): PerCpu<T> {
  const entries = Object.entries(readObject(fields, name));
  if (entries.length > maxCpus) throw new BadAnswer(`its ${name} has ${entries.length} CPUs`);
  return Object.fromEntries(
    entries.map(([cpu, value]): [string, T] => {
      if (!/^(0|[1-9]\d{0,3})$/.test(cpu) || Number(cpu) >= maxCpus)
        throw new BadAnswer(`its ${name} has a key that is not the number of a CPU`);
      if (!isObject(value)) throw wrong(`${name}.${cpu}`, 'an object', value);
      return [cpu, read(value)];
    }),
  );
}

function readBaseline(fields: Fields): CpuBaseline {
  return {
    bytesOut: readCount(fields, 'bytesOut'),
    bytesHeld: readCount(fields, 'bytesHeld'),
    ring: readRing(fields),
  };
}

function readGroups(value: unknown): string[] {
  if (!Array.isArray(value) || value.length > maxGroups) throw wrong('same', 'a list of groups', value);
  return value.map((group: unknown) => {
    if (typeof group !== 'string' || !isGroup(group)) throw wrong('same', 'a list of groups', group);
    return group;
  });
}

function readAccount(fields: Fields): CpuAccount {
  return {
    pagesIn: readCount(fields, 'pagesIn'),
    bytesOut: readCount(fields, 'bytesOut'),
    bytesLost: readCount(fields, 'bytesLost'),
    stalls: readCount(fields, 'stalls'),
  };
}

function readLedger(fields: Fields): CpuLedger {
  return {
    ...readAccount(fields),
    bytesHeld: readCount(fields, 'bytesHeld'),
    flushed: readBoolean(fields, 'flushed'),
    ring: readRing(fields),
  };
}

function readCpuStatus(fields: Fields): CpuStatus {
  const state = cpuStates.find((known) => known === fields['state']);
  if (state === undefined) throw wrong('state of a CPU', 'a known one', fields['state']);
  return {
    state,
    ...(fields['reason'] === undefined ? {} : { reason: readText(fields, 'reason') }),
    pid: fields['pid'] === null ? null : readCount(fields, 'pid'),
    restarts: readCount(fields, 'restarts'),
    ...readAccount(fields),
    ring: readRing(fields),
  };
}

function readRing(fields: Fields): RingStats | null {
  if (fields['ring'] === null) return null;
  const ring = readObject(fields, 'ring');
  return {
    entries: readCount(ring, 'entries'),
    overrun: readCount(ring, 'overrun'),
    commitOverrun: readCount(ring, 'commitOverrun'),
    bytes: readCount(ring, 'bytes'),
    droppedEvents: readCount(ring, 'droppedEvents'),
    readEvents: readCount(ring, 'readEvents'),
  };
}

/** The error for a field of the wrong type. It never contains the value, which may be anything. */
function wrong(name: string, wanted: string, value: unknown): BadAnswer {
  return new BadAnswer(
    value === undefined ? `it has no ${name}` : `its ${name} is not ${wanted} but ${typeName(value)}`,
  );
}
