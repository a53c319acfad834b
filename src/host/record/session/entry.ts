import { dirname } from 'node:path';
import { exitCode, Failure } from '../../../base/failure.ts';
import type { RecordEnd, RecordProgress } from '../contract.ts';
import type { GuestRecording } from '../guest-recording.ts';

/** The stop of a machine that has begun. A failure to stop does not reject. */
export interface Stopping {
  /** Settles when the machine no longer traces, or has failed to stop. */
  readonly quiet: Promise<void>;
  /** Settles when nothing more is expected of it. */
  readonly done: Promise<void>;
}

/** One machine of a recording of several. */
export interface Entry {
  readonly recording: GuestRecording;
  readonly failures: Failure[];
  /** The machine's stop, once it has begun: earlier than the others' when it cannot continue. */
  stopping: Stopping | undefined;
}

/** Adds a failure to those of some machines, once. */
export function addFailure(entries: readonly Entry[], why: Failure): void {
  for (const { failures } of entries)
    if (!failures.some(({ message }) => message === why.message)) failures.push(why);
}

/** Runs one step; a Failure is added to this machine's failures. */
export async function step(entry: Entry, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    addFailure([entry], cause);
  }
}

export function keptBytes({ guests }: RecordProgress): number {
  return guests.flatMap(({ cpus }) => cpus).reduce((sum, cpu) => sum + cpu.keptBytes, 0);
}

/** Bytes of all machines since the start. */
export function receivedBytes(entries: readonly Entry[]): number {
  const cpus = entries.flatMap(({ recording }) => recording.sets.progressOfAll);
  return cpus.reduce((sum, cpu) => sum + cpu.receivedBytes, 0);
}

export function diskFull(entries: readonly Entry[]): Failure {
  return new Failure(
    exitCode.failed,
    `the disk of ${placeOf(entries)} is full`,
    'free space; what was recorded is kept',
  );
}

export function outputGone(entries: readonly Entry[]): Failure {
  return new Failure(exitCode.failed, `${placeOf(entries)} was removed; its recorded data is lost`);
}

/** The directory of the first file. */
export function placeOf(entries: readonly Entry[]): string {
  return dirname(entries[0]?.recording.out ?? '.');
}

/** The error when a recording ends before it has begun. */
export function reasonOf(end: RecordEnd): Failure {
  if (end.kind === 'failed') return end.why;
  return new Failure(exitCode.failed, 'interrupted before the recording began; nothing is kept');
}

/** Waits until all have settled. @throws the reason of the first that was rejected */
export async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  const settled = await Promise.allSettled(promises);
  const rejected = settled.find((result) => result.status === 'rejected');
  if (rejected !== undefined) throw rejected.reason;
}

/** The note about a guest whose virtual CPUs are unknown. */
export function unknownThreads(label: string): string {
  const what = `it is unknown which threads of this host run the CPUs of ${label}`;
  const remedy = 'start its QEMU with -name debug-threads=on, or with -qmp';
  return `${what} — ${remedy}`;
}
