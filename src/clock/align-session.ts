import { existsSync } from 'node:fs';
import { exitCode, Failure } from '../base/failure.ts';
import { quoted } from '../base/quoted.ts';
import { replaceTimeShift } from '../trace/convert/replace-time-shift.ts';
import type { EventBatch } from '../trace/events/event-batches.ts';
import { clockUnit } from '../trace/metadata/clock-unit.ts';
import { openTrace, type Trace } from '../trace/open.ts';
import { type RecordedAlignment, timeShiftOf } from '../trace/recording/clock-files.ts';
import { lockRecording, outOfRecording, replaceAlignment } from '../trace/recording/recording-dir.ts';
import { guestPath, type Machine, openSession } from '../trace/session.ts';
import { alignGuests, type NotAligned } from './align-guests.ts';
import { guestToAlign } from './guest-to-align.ts';

export interface AlignSettings {
  /** Whether to leave all files as they are. */
  readonly dryRun?: boolean;
  /** Ends it: it throws the signal's reason. Files that were already replaced stay so. */
  readonly signal?: AbortSignal;
  /** Called from time to time. */
  readonly onProgress?: (progress: AlignProgress) => void;
}

export interface AlignProgress {
  /** The trace that is read, or the file that is written. */
  readonly path: string;
  readonly phase: 'reading' | 'writing';
  /** Bytes of pages of that trace; `totalBytes` is 0 if unknown, and while writing. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What became of a guest. Texts come from the machines and may contain control characters. */
export interface AlignedMachine {
  readonly name: string;
  /** Its trace.dat or recording. */
  readonly path: string;
  readonly alignment: RecordedAlignment | undefined;
  /** The files with the new alignment; empty for a dry run. */
  readonly written: readonly string[];
  /** Why it is not aligned, or a file not written. */
  readonly failure: Failure | undefined;
  readonly remarks: readonly string[];
}

/**
 * Aligns the clocks of guests with that of their host again: by the pings of a recording, or else the TIME_SHIFT of the
 * guest's file, and by what both traces show. The result replaces the TIME_SHIFT of a trace.dat, or the alignment of a
 * recording and the TIME_SHIFT of its trace.dat, each atomically. Nothing is written before all guests were read.
 *
 * @param paths the host's trace.dat or recording, whose guests are looked for next to it; or all of them
 * @returns a result for each guest; a guest that cannot be aligned does not hinder others
 * @throws Failure if none can, for a reason that is not a guest's
 */
export async function alignSession(
  paths: readonly string[],
  settings: AlignSettings = {},
): Promise<AlignedMachine[]> {
  const session = await openSession(paths, { hostTimes: false });
  const unlocks: (() => void)[] = [];
  try {
    const [host, ...guests] = session.machines;
    const missing = session.missing.map((name) => missingGuest(host!, name));
    if (host === undefined || host.trace.source.guests.length === 0) throw noHost(paths);
    if (guests.length === 0) throw missing[0]?.failure ?? noGuest(host);
    if (settings.dryRun !== true)
      for (const { trace } of guests) if (trace.kind === 'recording') unlocks.push(lockRecording(trace.path));
    const results = await alignAll(host, guests, settings);
    return [...results, ...missing];
  } finally {
    for (const unlock of unlocks) unlock();
    await session.close();
  }
}

async function alignAll(
  host: Machine,
  guests: readonly Machine[],
  settings: AlignSettings,
): Promise<AlignedMachine[]> {
  const peerId = host.trace.source.traceId ?? 0n;
  const refusals = guests.map((guest) => refusalOf(host, guest));
  const usable = guests.filter((_, index) => refusals[index] === undefined);
  const toAlign = usable.map(({ trace, vcpuTids }) => guestToAlign(host.trace, trace, vcpuTids));
  const found = await alignGuests(host.trace, toAlign, (trace, batches) =>
    observed(trace, batches, settings),
  );
  const results: AlignedMachine[] = [];
  for (const [index, guest] of guests.entries()) {
    const refusal = refusals[index];
    const outcome = refusal === undefined ? found[usable.indexOf(guest)] : undefined;
    if (outcome === undefined || typeof outcome === 'string') {
      const failure = refusal ?? whyNot(host, guest, outcome ?? 'no-guess');
      results.push({ ...nameOf(guest), alignment: undefined, written: [], failure, remarks: [] });
      continue;
    }
    results.push(await written(host, guest, { peerId, ...outcome }, settings));
  }
  return results;
}

function nameOf({ name, trace }: Machine): Pick<AlignedMachine, 'name' | 'path'> {
  return { name, path: trace.path };
}

/** Reports which trace is read, and ends where the signal says so. */
async function* observed(
  trace: Trace,
  batches: AsyncIterable<EventBatch>,
  { signal, onProgress }: AlignSettings,
): AsyncGenerator<EventBatch, void, undefined> {
  const before = trace.read.doneBytes;
  for await (const batch of batches) {
    signal?.throwIfAborted();
    const { doneBytes, totalBytes } = trace.read;
    onProgress?.({ path: trace.path, phase: 'reading', doneBytes: doneBytes - before, totalBytes });
    yield batch;
  }
}

/** Writes an alignment, and says what became of it. Throws the signal's reason. */
async function written(
  host: Machine,
  guest: Machine,
  alignment: RecordedAlignment,
  { dryRun, signal, onProgress }: AlignSettings,
): Promise<AlignedMachine> {
  const files: string[] = [];
  const remarks = [host, guest].flatMap((machine) => clockRemarks(machine));
  const result = { ...nameOf(guest), alignment, written: files, remarks };
  if (dryRun === true) return { ...result, failure: undefined };
  const { path, kind, source } = guest.trace;
  const write = async (file: string, replace: () => Promise<void>): Promise<void> => {
    signal?.throwIfAborted();
    onProgress?.({ path: file, phase: 'writing', doneBytes: 0, totalBytes: 0 });
    await replace();
    files.push(file);
  };
  const shiftFile = (file: string, cpuCount: number): Promise<void> =>
    write(file, () => replaceTimeShift(file, timeShiftOf(alignment, cpuCount), signal));
  try {
    if (kind === 'trace.dat') await shiftFile(path, source.cpuCount);
    else {
      await write(path, () => replaceAlignment(path, alignment));
      const out = outOfRecording(path);
      const cpuCount = out === undefined ? undefined : await cpuCountOf(out, source.traceId);
      if (out !== undefined && cpuCount !== undefined) await shiftFile(out, cpuCount);
    }
  } catch (error) {
    if (!(error instanceof Failure) || signal?.aborted === true) throw error;
    return { ...result, failure: error };
  }
  return { ...result, failure: undefined };
}

/** Number of CPUs of the trace.dat that a recording was converted to; undefined if there is none. Throws Failure. */
async function cpuCountOf(out: string, traceId: bigint | undefined): Promise<number | undefined> {
  if (!existsSync(out)) return undefined;
  const trace = await openTrace(out);
  try {
    return trace.source.traceId === traceId ? trace.source.cpuCount : undefined;
  } finally {
    await trace.close();
  }
}

/** Clocks that may differ between the CPUs of one machine. */
function clockRemarks({ name, trace }: Machine): string[] {
  if (!trace.buffers.some(({ clock }) => clock === 'local')) return [];
  return [
    `the clock of ${name} (local) may differ between its CPUs, which the bound does not cover — record with -C boot`,
  ];
}

function refusalOf(host: Machine, guest: Machine): Failure | undefined {
  const { guests } = host.trace.source;
  if (!guests.some(({ traceId }) => traceId === guest.trace.source.traceId))
    return new Failure(
      exitCode.failed,
      `${guest.trace.path} is not one of the guests of ${host.trace.path}`,
      'give the files of one recording',
    );
  // the files of some recordings do not name the clock
  for (const { trace } of [host, guest])
    for (const { clock } of trace.buffers)
      if (clock !== '' && clockUnit(clock) === null)
        return new Failure(
          exitCode.failed,
          `${trace.path} has times of the clock ${quoted(clock)}, which does not count nanoseconds`,
          'record host and guest with the clock boot, mono or mono_raw: -C boot',
        );
  return undefined;
}

function whyNot(host: Machine, guest: Machine, why: NotAligned): Failure {
  const { path } = guest.trace;
  switch (why) {
    case 'no-guess':
      return new Failure(
        exitCode.failed,
        `${path} does not say how its clock differs from the host's, not even roughly`,
        'record host and guest together: trace-host record -A, or trace-cmd record -A with time synchronization',
      );
    case 'no-switches':
      return new Failure(
        exitCode.failed,
        `${host.trace.path} has no switches of the threads that run the CPUs of ${guest.name}, and ${path} no pings`,
        'record sched_switch of the host',
      );
    case 'not-confirmed':
      return new Failure(
        exitCode.failed,
        `the switches in ${host.trace.path} do not confirm the TIME_SHIFT of ${path}`,
        'the file is unchanged; record again with trace-host record, which reads the clocks all the while',
      );
    default:
      return why satisfies never;
  }
}

function missingGuest(host: Machine, name: string): AlignedMachine {
  const path = guestPath(host.trace.path, name);
  const failure = new Failure(
    exitCode.missing,
    `${host.trace.path} was recorded with ${name}, and ${path} is missing or of another recording`,
    'name its file, too',
  );
  return { name, path, alignment: undefined, written: [], failure, remarks: [] };
}

function noHost(paths: readonly string[]): Failure {
  return new Failure(
    exitCode.usage,
    `${paths.join(', ')}: no file of a host that was recorded with guests`,
    "give the host's file: its guests' files are looked for next to it",
  );
}

function noGuest({ trace }: Machine): Failure {
  return new Failure(exitCode.usage, `${trace.path}: no file of a guest`, "name the guest's file, too");
}
