import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { exitCode, Failure } from '../../failure.ts';
import type { TraceRequest } from '../../protocol/control.ts';
import type { ConvertReport, FileVersion } from '../convert.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import type { Compression } from '../tracedat/write-v7.ts';
import { Collector } from './collector.ts';
import { type CpuProgress, GuestRecording } from './guest-recording.ts';

export interface RecordOptions {
  readonly guests: readonly { readonly location: GuestLocation; readonly out: string }[];
  /** Undefined: what the guest has enabled by itself. */
  readonly trace: TraceRequest | undefined;
  /** Of what is kept of each CPU, the newest. */
  readonly capBytes: number | undefined;
  readonly durationMs: number | undefined;
  /** Of all files together: reaching it ends the recording. */
  readonly maxBytes: number | undefined;
  /** Records while this runs; empty: until a signal, or one of the limits above. */
  readonly command: readonly string[];
  /** Where its output goes: not to stdout where a report for a program goes there. */
  readonly commandOutput: 'stdout' | 'stderr';
  readonly timeoutMs: number;
  readonly version: FileVersion;
  readonly compress: Compression;
}

/** Why a recording ended. */
export type RecordEnd =
  | { readonly kind: 'signal' }
  | { readonly kind: 'duration' }
  | { readonly kind: 'max-size' }
  | { readonly kind: 'command'; readonly exitCode: number | null; readonly signal: string | null }
  | { readonly kind: 'failed'; readonly why: Failure };

/** How it goes at this moment. */
export interface RecordProgress {
  readonly elapsedMs: number;
  readonly guests: readonly { readonly label: string; readonly cpus: readonly CpuProgress[] }[];
  /** Free on the file system of the first file, in bytes. */
  readonly freeBytes: number;
}

export interface GuestReport {
  readonly label: string;
  readonly out: string;
  /** Undefined when the file could not be made. */
  readonly report: ConvertReport | undefined;
  /** The directory that can be converted instead; undefined when there is a file, or somebody removed it. */
  readonly dir: string | undefined;
  readonly cpus: readonly CpuProgress[];
  /** Lost between ring and host, as the agent says. */
  readonly lostBytes: number;
  readonly failedCpus: readonly string[];
  /** What went wrong with this guest, in order. */
  readonly failures: readonly Failure[];
}

/** What the one who called wants to hear. All are called from the event loop, none may throw. */
export interface RecordListener {
  readonly phase: (text: string) => void;
  readonly started: () => void;
  readonly progress: (progress: RecordProgress) => void;
  readonly ending: (end: RecordEnd) => void;
  readonly note: (text: string) => void;
}

const tickMs = 500;
/** What must be left on the disk: enough to write the names and to say what happened. */
const reservedBytes = 16 * 1024 * 1024;

interface Entry {
  readonly recording: GuestRecording;
  readonly failures: Failure[];
  /** It cannot go on, but what there is of it is finished. */
  ended: boolean;
}

/** Records guests together, until the first reason to end. */
export class Recorder {
  readonly #options: RecordOptions;
  readonly #listener: RecordListener;
  readonly #collector = new Collector();
  readonly #entries: Entry[] = [];
  #end: (end: RecordEnd) => void = () => undefined;
  readonly #ended = new Promise<RecordEnd>((resolve) => {
    this.#end = resolve;
  });

  constructor(options: RecordOptions, listener: RecordListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Ends the recording as Ctrl-C does. */
  interrupt(): void {
    this.#end({ kind: 'signal' });
  }

  /** Directories of recordings that are not finished. */
  get unfinished(): readonly { readonly dir: string; readonly out: string }[] {
    return this.#entries.flatMap(({ recording: { dir, out } }) => (dir === undefined ? [] : [{ dir, out }]));
  }

  /** Records, and makes a file of each guest. @throws Failure when nothing was recorded */
  async run(): Promise<readonly GuestReport[]> {
    try {
      await this.#begin();
      this.#listener.started();
      const end = await this.#record();
      this.#listener.ending(end);
      if (end.kind === 'failed') this.#fail(this.#entries, end.why);
      await Promise.all(this.#entries.map((entry) => this.#stop(entry)));
    } finally {
      await this.#collector.close();
      await Promise.all(this.#entries.map((entry) => this.#close(entry)));
    }
    const reports: GuestReport[] = [];
    for (const entry of this.#entries) reports.push(await this.#finish(entry));
    return reports;
  }

  async #begin(): Promise<void> {
    for (const { location, out } of this.#options.guests) {
      const entry: Entry = { recording: await this.#open(location, out), failures: [], ended: false };
      this.#entries.push(entry);
    }
    this.#listener.phase('fetching what explains the pages');
    const begun = await Promise.allSettled(this.#entries.map(({ recording }) => recording.begin()));
    const failed = begun.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    // Those that began stop again, and leave nothing: their users were promised a trace of all.
    await Promise.allSettled(this.#entries.map(({ recording }) => recording.discard()));
    throw failed.reason;
  }

  #open(location: GuestLocation, out: string): Promise<GuestRecording> {
    const { trace, capBytes, timeoutMs } = this.#options;
    const { note } = this.#listener;
    return GuestRecording.open(
      {
        location,
        out,
        trace,
        capBytes,
        timeoutMs,
        note,
        failed: (why) => this.#end({ kind: 'failed', why }),
      },
      this.#collector,
    );
  }

  async #record(): Promise<RecordEnd> {
    const fromMs = performance.now();
    const child = this.#options.command.length === 0 ? undefined : this.#spawn();
    let looking = false;
    const ticker = setInterval(() => {
      const elapsedMs = performance.now() - fromMs;
      const progress = this.#progress(elapsedMs);
      if (progress === undefined) {
        this.#end({ kind: 'failed', why: outputGone(this.#entries) });
        return;
      }
      this.#listener.progress(progress);
      const { durationMs, maxBytes } = this.#options;
      if (durationMs !== undefined && elapsedMs >= durationMs) this.#end({ kind: 'duration' });
      if (maxBytes !== undefined && keptBytes(progress) >= maxBytes) this.#end({ kind: 'max-size' });
      if (progress.freeBytes < reservedBytes) this.#end({ kind: 'failed', why: diskFull(this.#entries) });
      if (looking) return;
      looking = true;
      void this.#look().finally(() => {
        looking = false;
      });
    }, tickMs);
    // the tick is coarser than a duration may be
    const limit = this.#options.durationMs;
    const timer = limit === undefined ? undefined : setTimeout(() => this.#end({ kind: 'duration' }), limit);
    try {
      return await this.#ended;
    } finally {
      clearInterval(ticker);
      clearTimeout(timer);
      if (child?.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      // one that does not obey must not keep us
      child?.unref();
    }
  }

  #spawn(): ChildProcess {
    const [program = '', ...words] = this.#options.command;
    const child = spawn(program, words, {
      stdio: ['inherit', this.#options.commandOutput === 'stdout' ? 1 : 2, 'inherit'],
    });
    child.on('exit', (code, signal) => this.#end({ kind: 'command', exitCode: code, signal }));
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const why = new Failure(
        exitCode.usage,
        `${program} does not run: ${cause.code}`,
        'name a command that does',
      );
      this.#end({ kind: 'failed', why });
    });
    return child;
  }

  /** A guest that cannot go on ends alone; the last one ends the recording. */
  async #look(): Promise<void> {
    for (const entry of this.#entries) {
      if (entry.ended) continue;
      try {
        await entry.recording.look();
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause;
        this.#listener.note(cause.message);
        this.#fail([entry], cause);
        entry.ended = true;
        if (this.#entries.every(({ ended }) => ended)) this.#end({ kind: 'failed', why: cause });
      }
    }
  }

  #fail(entries: readonly Entry[], why: Failure): void {
    for (const { failures } of entries) if (!failures.includes(why)) failures.push(why);
  }

  async #stop(entry: Entry): Promise<void> {
    const { recording } = entry;
    try {
      if (!entry.ended) await recording.stop();
      await recording.fetchNames();
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      this.#fail([entry], cause);
    }
  }

  async #close(entry: Entry): Promise<void> {
    try {
      await entry.recording.close();
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      this.#fail([entry], cause);
    }
  }

  async #finish({ recording, failures }: Entry): Promise<GuestReport> {
    let report: ConvertReport | undefined;
    const isThere = (): boolean => recording.dir !== undefined && existsSync(recording.dir);
    // without it there is nothing to convert, and why is among the failures
    if (isThere()) {
      this.#listener.phase(`writing ${recording.out}`);
      try {
        report = await recording.convert({
          version: this.#options.version,
          compress: this.#options.compress,
        });
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause;
        failures.push(cause);
      }
    }
    const dir = report === undefined && isThere() ? recording.dir : undefined;
    const { guest, out, progress, lostBytes, failedCpus } = recording;
    if (report !== undefined && this.#options.capBytes === undefined)
      failures.push(...missingEvents(report, progress));
    return { label: guest.label, out, report, dir, cpus: progress, lostBytes, failedCpus, failures };
  }

  /** Undefined when the directory of the files is gone. */
  #progress(elapsedMs: number): RecordProgress | undefined {
    const guests = this.#entries.map(({ recording }) => ({
      label: recording.guest.label,
      cpus: recording.progress,
    }));
    try {
      const { bavail, bsize } = statfsSync(placeOf(this.#entries));
      return { elapsedMs, guests, freeBytes: bavail * bsize };
    } catch {
      return undefined;
    }
  }
}

/** The kernel's count of events that were read is the count of events in the file, or some are missing. */
function missingEvents(report: ConvertReport, progress: readonly CpuProgress[]): Failure[] {
  return progress.flatMap(({ cpu, readEvents }) => {
    const events = report.cpus.find((converted) => converted.cpu === cpu)?.events ?? 0;
    if (readEvents === undefined || readEvents === events) return [];
    const message = `CPU ${cpu}: the guest's kernel says that ${readEvents} events were read, the file has ${events}`;
    return [new Failure(exitCode.lost, message, 'look for bad pages above, and into the log of the agent')];
  });
}

function keptBytes({ guests }: RecordProgress): number {
  return guests.flatMap(({ cpus }) => cpus).reduce((sum, cpu) => sum + cpu.keptBytes, 0);
}

function diskFull(entries: readonly Entry[]): Failure {
  return new Failure(
    exitCode.failed,
    `the disk of ${placeOf(entries)} is full`,
    'make room; what was recorded is kept',
  );
}

function outputGone(entries: readonly Entry[]): Failure {
  return new Failure(exitCode.failed, `${placeOf(entries)} is gone, and with it what was recorded`);
}

function placeOf(entries: readonly Entry[]): string {
  return dirname(entries[0]?.recording.out ?? '.');
}
