import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { maxCpus } from '../../base/cpu-list.ts';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import type { RecordedPause } from '../dat/pause-note.ts';

/**
 * `recording.json` describes a recording directory. Written when a recording starts and again when it ends. After a
 * crash only the first version exists, so readers take byte counts from the files themselves.
 */
export interface Recording {
  readonly version: typeof recordingVersion;
  readonly guest: string;
  readonly cpus: readonly RecordedCpu[];
  /** Size of a ring-buffer page; null if the guest did not report it. */
  readonly pageBytes: number | null;
  /** Name of the trace clock; null if the guest did not report it. */
  readonly clock: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601; null while the recording runs, and after a crash. */
  readonly endedAt: string | null;
  readonly agentVersion: string | null;
  /** The traced tracefs instance, null for the top level; missing until the guest has reported it. */
  readonly instance?: string | null;
  /** `uname -r` of the host. */
  readonly hostKernel: string;
  /** Events as requested, e.g. `sched`, `irq:irq_handler_entry`. */
  readonly events: readonly string[];
  /** Id by which other files refer to the trace.dat, in decimal; missing in older recordings. */
  readonly traceId?: string;
  /** In the recording of a host: the guests that were recorded with it. */
  readonly guests?: readonly RecordedGuest[];
  /** In the recording of a guest that was recorded with its host: when QEMU did not run it, as far as QEMU told. */
  readonly pauses?: readonly RecordedPause[];
  /** In the recording of a guest with clock x86-tsc, as its host's: how KVM computed its TSC all the time. */
  readonly tsc?: RecordedTsc;
}

/** How KVM computes a guest's TSC: (host × ratio >> fractionBits) + offset, in 64 bits. */
export interface RecordedTsc {
  /** In decimal; may be negative. */
  readonly offset: string;
  /** In decimal; null if the processor cannot scale. */
  readonly ratio: string | null;
  readonly fractionBits: number | null;
}

/** A guest, as its host sees it. */
export interface RecordedGuest {
  /** The guest's name; empty if it has none. */
  readonly name: string;
  /** Id of the guest's own file, in decimal. */
  readonly traceId: string;
  /** Process id of its QEMU; null if it was not found. */
  readonly pid: number | null;
  /** In the order in which they appeared; a virtual CPU that was removed and added again has two entries. */
  readonly vcpus: readonly RecordedVcpu[];
}

/** The host's thread that runs a virtual CPU. */
export interface RecordedVcpu {
  readonly vcpu: number;
  readonly tid: number;
  /**
   * When it was first seen, and when it was found to be gone (null if it was not): nanoseconds of the host's
   * CLOCK_BOOTTIME, in decimal.
   */
  readonly from: string;
  readonly until: string | null;
}

export interface RecordedCpu {
  readonly cpu: number;
  /** Bytes recorded, as known when this was written. */
  readonly bytes: number;
  /** The guest's ring counters at the end, for this recording alone; null if the guest did not report them. */
  readonly ring: RecordedRing | null;
}

/** Event counts of the guest's kernel. */
export interface RecordedRing {
  readonly entries: number;
  readonly overrun: number;
  readonly commitOverrun: number;
  readonly droppedEvents: number;
  readonly readEvents: number;
}

export const recordingVersion = 1;
export const recordingFile = 'recording.json';
/** The guest's metadata at the start of the recording. */
export const metadataFile = 'metadata.tar.gz';
/** The traced instance's own files, as they were just after the start. */
export const instanceFile = 'instance.tar.gz';
/** Task names and other changed metadata at the end; missing after a crash. */
export const namesFile = 'names.tar.gz';

/** Locked while a process records into the directory. */
export const lockFile = 'lock';

const maxTextBytes = 4 << 20;

/** File name of a CPU's raw pages. Names never come from the contents of `recording.json`. */
export function rawFile(cpu: number): string {
  return `cpu${cpu}.raw`;
}

/** The text of `recording.json`. */
export function formatRecording(recording: Recording): string {
  return `${JSON.stringify(recording, null, 2)}\n`;
}

/** Reads the `recording.json` of a recording directory. Throws Failure if it is missing or invalid. */
export async function readRecording(dir: string): Promise<Recording> {
  const path = join(dir, recordingFile);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'EACCES')
      throw new Failure(
        exitCode.notPermitted,
        `${dir}: cannot read ${recordingFile}: permission denied`,
        'run as its owner or as root',
        { cause: error },
      );
    throw new Failure(
      exitCode.missing,
      `${dir}: not a recording: cannot read ${recordingFile}`,
      'specify a .recording directory; for raw files use trace-host convert with --metadata',
      { cause: error },
    );
  }
  return parseRecording(text, path);
}

/** Checks the text of a `recording.json`; `path` is for messages. Throws Failure. */
function parseRecording(text: string, path: string): Recording {
  const bad = (what: string): Failure =>
    new Failure(exitCode.failed, `${path}: ${what}`, 'convert from the raw files and --metadata instead');
  let value: unknown;
  try {
    value = text.length > maxTextBytes ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isObject(value)) throw bad('not a JSON object');
  if (value['version'] !== recordingVersion) throw bad(`version is not ${recordingVersion}`);
  const { guest, cpus, pageBytes, clock, startedAt, endedAt, agentVersion, hostKernel, events, instance } =
    value;
  if (typeof guest !== 'string') throw bad('guest is not a string');
  if (!isCount(pageBytes) && pageBytes !== null) throw bad('pageBytes is not a count');
  if (!isTextOrNull(clock)) throw bad('clock is not a string');
  if (typeof startedAt !== 'string') throw bad('startedAt is not a string');
  if (!isTextOrNull(endedAt)) throw bad('endedAt is not a string');
  if (!isTextOrNull(agentVersion)) throw bad('agentVersion is not a string');
  if (instance !== undefined && !isTextOrNull(instance)) throw bad('instance is not a string');
  if (typeof hostKernel !== 'string') throw bad('hostKernel is not a string');
  if (!Array.isArray(events) || !events.every((event) => typeof event === 'string')) {
    throw bad('events is not a list of strings');
  }
  if (!Array.isArray(cpus) || !cpus.every(isCpu)) throw bad('cpus is not a list of CPUs');
  if (new Set(cpus.map(({ cpu }) => cpu)).size !== cpus.length) throw bad('cpus lists a CPU twice');
  const { traceId, guests, pauses, tsc } = value;
  if (traceId !== undefined && !isTraceId(traceId)) throw bad('traceId is not a number of 64 bits');
  if (guests !== undefined && !(Array.isArray(guests) && guests.every(isGuest)))
    throw bad('guests is not a list of guests');
  if (pauses !== undefined && !(Array.isArray(pauses) && pauses.every(isPause)))
    throw bad('pauses is not a list of pauses');
  if (tsc !== undefined && !isTsc(tsc)) throw bad('tsc is not a relation of TSCs');
  return {
    version: recordingVersion,
    guest,
    cpus,
    pageBytes,
    clock,
    startedAt,
    endedAt,
    agentVersion,
    ...(instance === undefined ? {} : { instance }),
    hostKernel,
    events,
    ...(traceId === undefined ? {} : { traceId }),
    ...(guests === undefined ? {} : { guests }),
    ...(pauses === undefined ? {} : { pauses }),
    ...(tsc === undefined ? {} : { tsc }),
  };
}

function isTraceId(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,20}$/.test(value) && BigInt(value) < 2n ** 64n;
}

function isGuest(value: unknown): value is RecordedGuest {
  if (!isObject(value)) return false;
  const { name, traceId, pid, vcpus } = value;
  if (typeof name !== 'string' || !isTraceId(traceId) || (pid !== null && !isCount(pid))) return false;
  return Array.isArray(vcpus) && vcpus.every(isVcpu);
}

function isVcpu(value: unknown): value is RecordedVcpu {
  if (!isObject(value)) return false;
  const { vcpu, tid, from, until } = value;
  if (!isCount(vcpu) || vcpu >= maxCpus || !isCount(tid) || tid >= 2 ** 31) return false;
  return isNs(from) && (until === null || isNs(until));
}

function isPause(value: unknown): value is RecordedPause {
  if (!isObject(value)) return false;
  const { hostFrom, pausedFrom, pausedTo, hostTo } = value;
  return isNs(hostFrom) && [pausedFrom, pausedTo, hostTo].every((time) => time === null || isNs(time));
}

function isTsc(value: unknown): value is RecordedTsc {
  if (!isObject(value)) return false;
  const { offset, ratio, fractionBits } = value;
  if (typeof offset !== 'string' || !/^-?\d{1,20}$/.test(offset)) return false;
  if (ratio === null) return fractionBits === null;
  if (typeof ratio !== 'string' || !/^[1-9]\d{0,19}$/.test(ratio)) return false;
  return isCount(fractionBits) && fractionBits < 64;
}

function isNs(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,20}$/.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function isCpu(value: unknown): value is RecordedCpu {
  return (
    isObject(value) &&
    isCount(value['cpu']) &&
    value['cpu'] < maxCpus &&
    isCount(value['bytes']) &&
    (value['ring'] === null || isRing(value['ring']))
  );
}

function isRing(value: unknown): value is RecordedRing {
  const counts = ['entries', 'overrun', 'commitOverrun', 'droppedEvents', 'readEvents'];
  return isObject(value) && counts.every((name) => isCount(value[name]));
}
