import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../../../base/error-code.ts';
import { exitCode, Failure } from '../../../base/failure.ts';
import type { GuestReport, RecordEnd, RecordListener, RecordOptions, RotationOptions } from '../contract.ts';
import type { RecordedFiles } from '../recorded-files.ts';
import { type Entry, receivedBytes } from '../session/entry.ts';
import { reportOf } from '../session/finish.ts';
import { isWhole, openAccounts } from '../whole.ts';
import { Schedule } from './schedule.ts';
import type { SetNames } from './set-names.ts';
import { SetWriter } from './set-writer.ts';
import type { MachineResult } from './write-set.ts';

/** How often to look whether the next set is due. */
const lookMs = 100;

/** What the rotation of a recording needs to know of it. */
export interface Rotated {
  readonly options: RotationOptions;
  readonly form: Pick<RecordOptions, 'version' | 'compress'>;
  readonly names: SetNames;
  readonly firstSet: number;
  readonly listener: RecordListener;
  readonly entries: readonly Entry[];
  readonly isHost: (entry: Entry) => boolean;
  /** Called before a set begins. */
  readonly beginning: () => void;
  /** Called when a set has begun. */
  readonly begun: () => void;
  /** Compares the clock of a guest with the host's, for the sets on both sides. Must not reject. */
  readonly readClock: (entry: Entry) => Promise<void>;
  /** Ends the recording. */
  readonly end: (end: RecordEnd) => void;
}

/** A machine's part of a set that gets no more pages. */
interface EndedPart {
  readonly entry: Entry;
  readonly files: RecordedFiles;
  readonly failures: Failure[];
  /** Whether the machine was not recorded any longer, so that this is its last part. */
  readonly isLast: boolean;
}

/**
 * Divides a recording into sets. All machines change to the next set together, between two pages of each CPU. What the
 * set before lacks, names and clocks, is added while the recording goes on; then another process writes its files.
 */
export class Rotation {
  readonly #rotated: Rotated;
  readonly #writer: SetWriter;
  #schedule: Schedule | undefined;
  #timer: NodeJS.Timeout | undefined;
  #set: number;
  #isBetween = false;
  #isEnded = false;
  /** Number of waiting sets at which to say so. */
  #warnAt = 4;
  /** Parts that are not written yet. */
  readonly #unwritten = new Set<EndedPart>();
  #finishing: Promise<void> = Promise.resolve();
  #writing: Promise<void> = Promise.resolve();

  constructor(rotated: Rotated) {
    this.#rotated = rotated;
    this.#set = rotated.firstSet;
    this.#writer = new SetWriter(rotated.options.command);
  }

  /** Number of the current set. */
  get set(): number {
    return this.#set;
  }

  /** Whether a set has begun and the one before still gets names or clocks, while the recording goes on. */
  get isBetween(): boolean {
    return this.#isBetween && !this.#isEnded;
  }

  /** The directories of sets that are not written yet; the current one is not among them. */
  get unwritten(): readonly { readonly dir: string; readonly out: string }[] {
    return [...this.#unwritten].flatMap(({ files: { dir, part } }) =>
      dir === undefined || !existsSync(dir.path) ? [] : [{ dir: dir.path, out: part.out }],
    );
  }

  /** What is being done after the end of the recording; empty for nothing. */
  get doing(): string {
    const [first] = this.unwritten;
    return this.#isEnded && first !== undefined ? `writing ${first.out}` : '';
  }

  /** Begins to look whether the next set is due. Call it when the recording has begun. */
  start(): void {
    this.#schedule = new Schedule(this.#rotated.options, performance.now());
    this.#timer = setInterval(() => this.#look(), lookMs);
  }

  /** No set begins any more. Call it when the recording ends. */
  stop(): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
  }

  /** Waits until all sets but the last are written. Call it after `stop`, when the machines are closed. */
  async settled(): Promise<void> {
    await this.#finishing;
    await this.#writing;
    this.#writer.close();
  }

  /** Deletes sets before the one that was written last. Does not throw. @returns the deleted files */
  deleteOld(last: number): readonly string[] {
    const { names, options, listener } = this.#rotated;
    if (options.keep === undefined) return [];
    try {
      return names.deleteOld(last, options.keep);
    } catch (cause) {
      if (errorCode(cause) === '') throw cause;
      listener.note(`cannot delete old files in ${dirname(options.base)}: ${errorCode(cause)}`);
      return [];
    }
  }

  #look(): void {
    if (this.#isBetween || this.#schedule === undefined) return;
    if (!this.#schedule.isDue(performance.now(), receivedBytes(this.#rotated.entries))) return;
    this.#isBetween = true;
    this.#finishing = this.#change().finally(() => {
      this.#isBetween = false;
    });
  }

  /** Begins the next set, and completes the one before. Does not reject. */
  async #change(): Promise<void> {
    const { entries, beginning, begun, end } = this.#rotated;
    // what is being fetched goes to the directories of now
    await Promise.all(entries.map(({ recording }) => recording.described));
    const going = entries.filter(({ stopping }) => stopping === undefined);
    if (this.#isEnded || going.length === 0) return;
    // one that no longer traces is about to be stopped
    if (!going.every(({ recording }) => recording.tracing && recording.sets.canChange)) return;
    const before = this.#set;
    const gone = entries.filter(
      (entry) => !going.includes(entry) && entry.recording.sets.current.part.set === before,
    );
    try {
      this.#prepare(going);
      beginning();
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      for (const { recording } of going) recording.sets.cancel();
      end({ kind: 'failed', why: cause });
      return;
    }
    const parts = going.map((entry) => ({ entry, files: entry.recording.sets.begin() }));
    this.#set += 1;
    this.#schedule?.begun(performance.now(), receivedBytes(entries));
    begun();
    this.#warnOfDelay();
    const ended = await Promise.all([
      ...parts.map(async ({ entry, files }): Promise<EndedPart> => {
        await this.#complete(entry);
        entry.recording.sets.endBefore();
        return this.#ended({ entry, files, failures: [], isLast: false }, () => files.finish());
      }),
      ...gone.map(async (entry): Promise<EndedPart> => {
        await entry.stopping?.done;
        const { recording, failures } = entry;
        return this.#ended({ entry, files: recording.sets.current, failures, isLast: true }, () =>
          recording.seal(),
        );
      }),
    ]);
    this.#writing = this.#writing.then(() => this.#write(before, ended));
  }

  /** Says when writing falls behind; each time twice as many sets wait. */
  #warnOfDelay(): void {
    const waiting = new Set([...this.#unwritten].map(({ files }) => files.part.set)).size;
    if (waiting < this.#warnAt) return;
    this.#warnAt = 2 * waiting;
    this.#rotated.listener.note(
      `${waiting} sets of files wait to be written: this host writes them more slowly than it records`,
    );
  }

  /** @throws Failure; then some are prepared */
  #prepare(going: readonly Entry[]): void {
    const { names, options } = this.#rotated;
    const set = this.#set + 1;
    let free: number;
    try {
      free = names.next();
    } catch (cause) {
      if (errorCode(cause) === '') throw cause;
      throw new Failure(exitCode.failed, `cannot read ${dirname(options.base)}: ${errorCode(cause)}`, '', {
        cause,
      });
    }
    if (free > set)
      throw new Failure(
        exitCode.failed,
        `another program has created files for set ${free - 1} of ${options.base}`,
        'give each recording another -o',
      );
    for (const { recording } of going) recording.prepareSet(set);
  }

  /** Adds the names and the clock, as they are between two sets, to both. Does not reject. */
  async #complete(entry: Entry): Promise<void> {
    const { readClock, listener } = this.#rotated;
    await readClock(entry);
    try {
      await entry.recording.fetchBetween();
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      // the end of a machine is reported elsewhere, and its names are fetched again
      if (this.#isEnded || entry.stopping !== undefined) return;
      listener.note(
        `${cause.message}: the names of tasks that are new in ${entry.recording.out} may be missing`,
      );
    }
  }

  async #ended(part: EndedPart, finish: () => Promise<void>): Promise<EndedPart> {
    this.#unwritten.add(part);
    try {
      await finish();
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      part.failures.push(cause);
    }
    return part;
  }

  async #write(set: number, parts: readonly EndedPart[]): Promise<void> {
    const { form, isHost, listener } = this.#rotated;
    const jobs = parts.flatMap((part) => {
      const dir = part.files.dir?.path;
      if (dir === undefined || !existsSync(dir)) return [];
      return [{ part, dir, out: part.files.part.out, isHost: isHost(part.entry) }];
    });
    const results = await this.#writer.write({
      machines: jobs.map(({ dir, out, isHost }) => ({ dir, out, isHost })),
      settings: form,
    });
    const guests = parts.map((part) =>
      this.#settle(part, results[jobs.findIndex((job) => job.part === part)]),
    );
    const deleted = guests.every(({ report }) => report !== undefined) ? this.deleteOld(set) : [];
    listener.rotated?.({ set, guests, deleted });
  }

  /** @param result undefined if the directory is gone */
  #settle(part: EndedPart, result: MachineResult | undefined): GuestReport {
    const { entry, files, failures, isLast } = part;
    const { recording } = entry;
    for (const { exitCode, message, remedy } of result?.failures ?? [])
      failures.push(new Failure(exitCode, message, remedy));
    const { report, alignment } = result ?? {};
    const progress = isLast ? recording.sets.progress : files.progress;
    if (report !== undefined)
      failures.push(...openAccounts(report, { progress, account: recording.account }, undefined));
    const found = reportOf(recording, files, {
      report,
      alignment,
      failures,
      isHost: this.#rotated.isHost(entry),
      isLast,
    });
    const whole = isWhole(found);
    if (whole) files.removeDir();
    recording.sets.wrote(whole ? new Map(report?.cpus.map(({ cpu, events }) => [cpu, events])) : undefined);
    this.#unwritten.delete(part);
    const dir = files.dir?.path;
    // what is still learnt of the machine, such as its pauses, has no place any more
    if (isLast) files.forget();
    return { ...found, dir: dir !== undefined && existsSync(dir) ? dir : undefined };
  }
}
