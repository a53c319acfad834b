import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { maxCpus } from '../../base/cpu-list.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';

/**
 * `recording.json`: what a recording's directory holds. Written when a recording starts and again when it ends; after
 * a crash the first one is all there is, so a reader takes byte counts from the files themselves.
 */
export interface Recording {
  readonly version: typeof recordingVersion;
  readonly guest: string;
  readonly cpus: readonly RecordedCpu[];
  /** Of a ring-buffer page; null when the guest did not tell. */
  readonly pageBytes: number | null;
  /** Name of the trace clock; null when the guest did not tell. */
  readonly clock: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Null while the recording runs, and for ever after a crash. */
  readonly endedAt: string | null;
  readonly agentVersion: string | null;
  /** The tracefs instance that was traced, null for the top level; not there until the guest has told. */
  readonly instance?: string | null;
  /** `uname -r` of the host. */
  readonly hostKernel: string;
  /** Events as they were asked for, e.g. `sched`, `irq:irq_handler_entry`. */
  readonly events: readonly string[];
}

export interface RecordedCpu {
  readonly cpu: number;
  /** Bytes collected, as known when this was written. */
  readonly bytes: number;
  /** What the guest's ring had counted at the end, of this recording alone; null when the guest did not tell. */
  readonly ring: RecordedRing | null;
}

/** Events, as the guest's kernel counts them. */
export interface RecordedRing {
  readonly entries: number;
  readonly overrun: number;
  readonly commitOverrun: number;
  readonly droppedEvents: number;
  readonly readEvents: number;
}

export const recordingVersion = 1;
export const recordingFile = 'recording.json';
/** What the pages are read with, of the recording's beginning. */
export const metadataFile = 'metadata.tar.gz';
/** What the traced instance has for itself, as it was when it had just been started. */
export const instanceFile = 'instance.tar.gz';
/** The names of tasks, and whatever else had changed, of its end; not there after a crash. */
export const namesFile = 'names.tar.gz';

/** Locked while a process collects into the directory. */
export const lockFile = 'lock';

const maxTextBytes = 4 << 20;

/** Name of a CPU's raw pages in the directory. No name is ever taken from the file's contents. */
export function rawFile(cpu: number): string {
  return `cpu${cpu}.raw`;
}

/** The text of `recording.json`. */
export function formatRecording(recording: Recording): string {
  return `${JSON.stringify(recording, null, 2)}\n`;
}

/** Reads a recording directory's `recording.json`. Throws Failure when it is missing or is not one. */
export async function readRecording(dir: string): Promise<Recording> {
  const path = join(dir, recordingFile);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new Failure(
      exitCode.missing,
      `${dir}: no recording: ${recordingFile} cannot be read`,
      `give a directory that a recording made, or the raw files and --metadata`,
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
  if (!isObject(value)) throw bad('no JSON object');
  if (value['version'] !== recordingVersion) throw bad(`not of version ${recordingVersion}`);
  const { guest, cpus, pageBytes, clock, startedAt, endedAt, agentVersion, hostKernel, events, instance } =
    value;
  if (typeof guest !== 'string') throw bad('guest is no text');
  if (!isCount(pageBytes) && pageBytes !== null) throw bad('pageBytes is no count');
  if (!isTextOrNull(clock)) throw bad('clock is no text');
  if (typeof startedAt !== 'string') throw bad('startedAt is no text');
  if (!isTextOrNull(endedAt)) throw bad('endedAt is no text');
  if (!isTextOrNull(agentVersion)) throw bad('agentVersion is no text');
  if (instance !== undefined && !isTextOrNull(instance)) throw bad('instance is no text');
  if (typeof hostKernel !== 'string') throw bad('hostKernel is no text');
  if (!Array.isArray(events) || !events.every((event) => typeof event === 'string')) {
    throw bad('events is no list of texts');
  }
  if (!Array.isArray(cpus) || !cpus.every(isCpu)) throw bad('cpus is no list of CPUs');
  if (new Set(cpus.map(({ cpu }) => cpu)).size !== cpus.length) throw bad('cpus has one twice');
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
  };
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
