import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import type { ConvertReport } from '../../trace/convert/convert.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { removeUnfinishedFiles } from '../../trace/file/unfinished-files.ts';
import { Collector } from './collector.ts';
import { checkCommand, startCommand } from './command.ts';
import type {
  GuestReport,
  RecordEnd,
  RecordListener,
  RecordOptions,
  RecordProgress,
  RecordResult,
} from './contract.ts';
import { GuestRecording } from './guest-recording.ts';
import { isWhole, openAccounts } from './whole.ts';
import { RecordingDir } from '../../trace/recording/recording-dir.ts';

const tickMs = 500;
/** Free space that must remain on the disk: enough for the task names and the report. */
const reservedBytes = 16 * 1024 * 1024;

interface Entry {
  readonly recording: GuestRecording;
  readonly failures: Failure[];
  /** The guest's stop, once it has begun: earlier than the others' when the guest cannot continue. */
  stopping: Promise<void> | undefined;
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
  #began = false;

  constructor(options: RecordOptions, listener: RecordListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Ends the recording as Ctrl-C does. */
  interrupt(): void {
    this.#end({ kind: 'signal' });
  }

  /** The step that the recorder is waiting for, for messages; undefined while recording. */
  get doing(): string | undefined {
    const doing = this.#entries.map(({ recording }) => recording.doing).filter((text) => text !== '');
    return doing.length === 0 ? undefined : doing.join('; ');
  }

  /** Cleans up at once, for a process that is about to exit. @returns the directories of unfinished recordings */
  abandon(): readonly { readonly dir: string; readonly out: string }[] {
    removeUnfinishedFiles();
    if (!this.#began) for (const { recording } of this.#entries) recording.removeDir();
    return this.#entries.flatMap(({ recording: { dir, out } }) =>
      dir === undefined || !existsSync(dir) ? [] : [{ dir, out }],
    );
  }

  /** Records, and writes a file for each guest. @throws Failure when nothing was recorded */
  async run(): Promise<RecordResult> {
    checkCommand(this.#options.command);
    for (const { out } of this.#options.guests) RecordingDir.check(out);
    let end: RecordEnd;
    try {
      await this.#begin();
      this.#began = true;
      this.#listener.started(this.#entries.flatMap(({ recording: { dir } }) => dir ?? []));
      for (const { recording } of this.#entries) recording.describe();
      end = await this.#record();
      this.#listener.ending(end);
      if (end.kind === 'failed') this.#fail(this.#running, end.why);
      await Promise.all(this.#entries.map((entry) => (entry.stopping ??= this.#stop(entry))));
    } finally {
      await this.#collector.close();
      await Promise.all(this.#entries.map((entry) => this.#close(entry)));
    }
    const guests: GuestReport[] = [];
    for (const entry of this.#entries) guests.push(await this.#finish(entry));
    return { end, guests };
  }

  async #begin(): Promise<void> {
    for (const { location, out } of this.#options.guests) {
      this.#entries.push({
        recording: await this.#open(location, out),
        failures: [],
        stopping: undefined,
      });
    }
    this.#listener.phase('fetching metadata');
    const beginning = Promise.allSettled(this.#entries.map(({ recording }) => recording.begin()));
    const first = await Promise.race([beginning, this.#ended]);
    const why = 'kind' in first ? reasonOf(first) : first.find(isRejected)?.reason;
    if (why === undefined) return;
    // guests that were started are stopped again and leave nothing: a recording has all guests or none
    await Promise.all(this.#entries.map(({ recording }) => recording.discard()));
    throw why;
  }

  /** Guests that have not ended alone. */
  get #running(): readonly Entry[] {
    return this.#entries.filter(({ stopping }) => stopping === undefined);
  }

  #open(location: GuestLocation, out: string): Promise<GuestRecording> {
    const { trace, skipUnknown, capBytes, timeoutMs } = this.#options;
    const { note } = this.#listener;
    const failed = (why: Failure): void => {
      const entry = this.#entries.find(({ recording }) => recording.out === out);
      if (entry !== undefined && this.#began) this.#endOne(entry, why);
      else this.#end({ kind: 'failed', why });
    };
    return GuestRecording.open(
      { location, out, trace, skipUnknown, capBytes, timeoutMs, note, failed },
      this.#collector,
    );
  }

  async #record(): Promise<RecordEnd> {
    const fromMs = performance.now();
    const { command, commandOutput } = this.#options;
    const child =
      command.length === 0
        ? undefined
        : startCommand(command, commandOutput, (ended) => {
            this.#end(
              ended instanceof Failure ? { kind: 'failed', why: ended } : { kind: 'command', ...ended },
            );
          });
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
    // a duration may be shorter than the tick
    const limit = this.#options.durationMs;
    const timer = limit === undefined ? undefined : setTimeout(() => this.#end({ kind: 'duration' }), limit);
    try {
      return await this.#ended;
    } finally {
      clearInterval(ticker);
      clearTimeout(timer);
      if (child?.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      // a child that ignores SIGTERM must not keep this process alive
      child?.unref();
    }
  }

  async #look(): Promise<void> {
    for (const entry of this.#running) {
      try {
        await entry.recording.look();
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause;
        this.#endOne(entry, cause);
      }
    }
  }

  /**
   * Stops recording one guest that cannot continue, without affecting the others; if it was the last one, the
   * recording ends.
   */
  #endOne(entry: Entry, why: Failure): void {
    this.#fail([entry], why);
    if (entry.stopping !== undefined) return;
    this.#listener.note(why.message);
    entry.stopping = this.#stop(entry);
    if (this.#running.length === 0) this.#end({ kind: 'failed', why });
  }

  #fail(entries: readonly Entry[], why: Failure): void {
    for (const { failures } of entries)
      if (!failures.some(({ message }) => message === why.message)) failures.push(why);
  }

  async #stop(entry: Entry): Promise<void> {
    const { recording } = entry;
    const step = async (run: () => Promise<void>): Promise<void> => {
      try {
        await run();
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause;
        this.#fail([entry], cause);
      }
    };
    if (recording.tracing) await step(() => recording.stop());
    // do not wait again for a guest that has not answered
    if (!recording.tracing) await step(() => recording.fetchChanges());
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
    // without it there is nothing to convert; the reason is among the failures
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
    const { guest, out, progress, account } = recording;
    if (report !== undefined) failures.push(...openAccounts(report, recording, this.#options.capBytes));
    const found = {
      label: guest.label,
      guest: guest.guest,
      out,
      report,
      cpus: progress,
      lostBytes: account.lostBytes,
      heldBytes: account.heldBytes,
      failedCpus: account.failedCpus,
      untracedCpus: account.untracedCpus(guest.cpus),
      earlierEvents: guest.cpus.reduce((sum, cpu) => sum + account.earlierEvents(cpu), 0),
      failures,
    };
    // keep the raw pages: what the file lacks may be in them
    if (isWhole(found)) {
      if (recording.dir !== undefined) await this.#listener.removing?.(recording.dir);
      recording.removeDir();
    }
    return { ...found, dir: isThere() ? recording.dir : undefined };
  }

  /** Undefined when the directory of the files was removed. */
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

function reasonOf(end: RecordEnd): Failure {
  if (end.kind === 'failed') return end.why;
  return new Failure(exitCode.failed, 'interrupted before the recording began; nothing is kept');
}

function isRejected(result: PromiseSettledResult<void>): result is PromiseRejectedResult {
  return result.status === 'rejected';
}

function keptBytes({ guests }: RecordProgress): number {
  return guests.flatMap(({ cpus }) => cpus).reduce((sum, cpu) => sum + cpu.keptBytes, 0);
}

function diskFull(entries: readonly Entry[]): Failure {
  return new Failure(
    exitCode.failed,
    `the disk of ${placeOf(entries)} is full`,
    'free space; what was recorded is kept',
  );
}

function outputGone(entries: readonly Entry[]): Failure {
  return new Failure(exitCode.failed, `${placeOf(entries)} was removed; its recorded data is lost`);
}

function placeOf(entries: readonly Entry[]): string {
  return dirname(entries[0]?.recording.out ?? '.');
}
