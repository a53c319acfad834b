import { open } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { convertRecording, type ConvertReport, type ConvertSettings } from '../../trace/convert/convert.ts';
import { joinAllCapped, RecordingDir } from '../../trace/recording/recording-dir.ts';
import type { RecordedPause } from '../../trace/dat/pause-note.ts';
import { type RecordedTsc, recordingVersion } from '../../trace/recording/recording-format.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { type RawFile, WholeFile } from '../../trace/recording/raw-file.ts';
import { dropEarlierPages } from './arrival.ts';
import type { CpuProgress, RecordRequest, SetPart } from './contract.ts';
import type { GuestAccount } from './guest-account.ts';

/** What a set before hands on to the next one. */
export interface Inherited {
  /** Those that have not ended; undefined if nothing is known of pauses. */
  readonly pauses: readonly RecordedPause[] | undefined;
  /** `hostFrom` of the last pause that ended in an earlier set. */
  readonly lastPause: string | undefined;
  /** Overwritten events of all earlier sets, by CPU. */
  readonly overrun: ReadonlyMap<number, number>;
}

/** What one machine's recording has on this host for a set: its directory with the pages of each CPU, then the trace.dat. */
export class RecordedFiles {
  readonly part: SetPart;
  readonly #request: RecordRequest;
  readonly #guest: TracedMachine;
  readonly #account: GuestAccount;
  readonly #inherited: Inherited | undefined;
  readonly #startedAt = new Date().toISOString();
  /** Open until the recording of the set ends. */
  #files: ReadonlyMap<number, RawFile> = new Map();
  #dir: RecordingDir | undefined;
  #pauses: readonly RecordedPause[] | undefined;
  #tsc: RecordedTsc | undefined;
  /** Bytes of an earlier trace removed from the files, by CPU. */
  readonly #cutBytes = new Map<number, number>();
  /** Overwritten events at the end of this set, as reported then, if it is not the last. */
  #overrunAtEnd: ReadonlyMap<number, number> | undefined;

  /** @param inherited undefined for the first set */
  constructor(request: RecordRequest, account: GuestAccount, part: SetPart, inherited?: Inherited) {
    this.part = part;
    this.#request = request;
    this.#guest = request.machine;
    this.#account = account;
    this.#inherited = inherited;
    this.#pauses = inherited?.pauses;
  }

  /** Undefined before `createDir` and after `discard`. */
  get dir(): RecordingDir | undefined {
    return this.#dir;
  }

  /** Whether this is the machine's first set. */
  get isFirst(): boolean {
    return this.#inherited === undefined;
  }

  get files(): ReadonlyMap<number, RawFile> {
    return this.#files;
  }

  /** What the files have. `readEvents` is unknown if the recording has several sets. */
  get progress(): readonly CpuProgress[] {
    return [...this.#files].map(([cpu, file]) => ({
      cpu,
      receivedBytes: file.receivedBytes,
      keptBytes: this.keptBytes(cpu),
      overrun: this.#overrun(cpu),
      readEvents: this.#request.rotates ? undefined : this.#account.readEvents(cpu),
    }));
  }

  /** Bytes of a CPU in its file, without those of an earlier trace. */
  keptBytes(cpu: number): number {
    return (this.#files.get(cpu)?.keptBytes ?? 0) - (this.#cutBytes.get(cpu) ?? 0);
  }

  #overrun(cpu: number): number {
    const now = this.#overrunAtEnd?.get(cpu) ?? this.#account.overrun(cpu);
    return now - (this.#inherited?.overrun.get(cpu) ?? 0);
  }

  /** Throws Failure. */
  createDir(): void {
    this.#dir = new RecordingDir(this.part.out);
  }

  /**
   * Writes the guest's metadata, and creates a file for each CPU.
   * @returns the files. @throws Failure
   */
  begin(packed: Uint8Array, cpus: readonly number[]): ReadonlyMap<number, RawFile> {
    const dir = this.#dir;
    if (dir === undefined) throw new Error('begin called before createDir');
    dir.writeMetadata(packed);
    const files = new Map<number, RawFile>();
    this.#files = files;
    try {
      for (const cpu of cpus) files.set(cpu, this.#fileOf(cpu, dir));
      this.describe(null);
    } catch (cause) {
      this.closeFiles();
      throw cause;
    }
    return files;
  }

  #fileOf(cpu: number, dir: RecordingDir): RawFile {
    const { machine, capBytes } = this.#request;
    const own = machine.files?.take(cpu);
    return own === undefined ? dir.rawFile(cpu, capBytes) : dir.adoptFile(cpu, own);
  }

  /**
   * Copies the pages of which only a part has arrived to the next set.
   * @param part the size of such a part, by CPU. @throws Failure; then nothing has changed here
   */
  copyParts(next: RecordedFiles, part: (cpu: number) => number): void {
    for (const [cpu, file] of this.#files) {
      const to = next.#files.get(cpu);
      if (!(file instanceof WholeFile && to instanceof WholeFile))
        throw new Error('a capped recording has one set');
      next.#dir?.copyLast(file, to, part(cpu));
    }
  }

  /** Removes what `copyParts` has copied. */
  dropParts(part: (cpu: number) => number): void {
    for (const [cpu, file] of this.#files) if (file instanceof WholeFile) file.dropLast(part(cpu));
  }

  /** Sets the pauses of a guest. @param pauses all since the start of the recording. @throws Failure */
  setPauses(pauses: readonly RecordedPause[]): void {
    const last = this.#inherited?.lastPause;
    this.#pauses = pauses.filter(({ hostFrom }) => last === undefined || BigInt(hostFrom) > BigInt(last));
    this.describe(null);
  }

  /** Notes how KVM computes the TSC of a guest. Throws Failure. */
  setTsc(tsc: RecordedTsc): void {
    this.#tsc = tsc;
    this.describe(null);
  }

  /** What the next set needs to know. */
  handOn(): Inherited {
    const overrun = this.#overrunNow();
    const pauses = this.#pauses?.filter(({ hostTo }) => hostTo === null);
    const ended = this.#pauses?.findLast(({ hostTo }) => hostTo !== null);
    return { pauses, lastPause: ended?.hostFrom ?? this.#inherited?.lastPause, overrun };
  }

  /** Writes recording.json, as much as is known. */
  describe(endedAt: string | null): void {
    const { before, started, stopped } = this.#account;
    const source = stopped ?? started;
    const { traceId, guests } = this.part;
    this.#dir?.writeRecording({
      version: recordingVersion,
      guest: this.#guest.guest ?? '',
      cpus: [...this.#files.keys()].map((cpu) => ({
        cpu,
        bytes: this.keptBytes(cpu),
        // they are those of all sets together
        ring: this.#request.rotates ? null : this.#account.ring(cpu),
      })),
      pageBytes: source?.pageBytes ?? null,
      clock: source?.clock ?? this.#request.trace?.clock ?? null,
      startedAt: this.#startedAt,
      endedAt,
      agentVersion: before?.version ?? null,
      ...(source === undefined ? {} : { instance: source.instance }),
      hostKernel: release(),
      events: this.#request.trace?.events ?? [],
      traceId: String(traceId),
      ...(guests === undefined ? {} : { guests: guests() }),
      ...(this.#pauses === undefined ? {} : { pauses: this.#pauses }),
      ...(this.#tsc === undefined ? {} : { tsc: this.#tsc }),
    });
  }

  /** Keeps the counts as they are now, because the next set begins. */
  endCounts(): void {
    this.#overrunAtEnd = this.#overrunNow();
  }

  #overrunNow(): ReadonlyMap<number, number> {
    return new Map([...this.#files.keys()].map((cpu) => [cpu, this.#account.overrun(cpu)]));
  }

  /** Closes the files of a set that gets no more pages, unless it is the last one: `GuestPorts` closes those. */
  closeFiles(): void {
    for (const file of this.#files.values()) file.close();
  }

  /** Completes the directory after collection has ended; only `convert` is left. Throws Failure. */
  async finish(): Promise<void> {
    this.#dir?.unlock();
    if (this.#files.size === 0) return;
    this.describe(new Date().toISOString());
    if (this.#dir === undefined) return;
    await joinAllCapped(this.#dir.path, [...this.#files.keys()]);
    if (this.#inherited !== undefined) return;
    await dropEarlierPages(this.#dir, this.#files, this.#account, (cpu, bytes) => {
      this.#cutBytes.set(cpu, bytes);
      this.#request.note(
        `${this.#guest.label}, CPU ${cpu}: discarded ${bytes} bytes of an earlier trace that the guest had held back`,
      );
    });
    this.describe(new Date().toISOString());
  }

  /** Writes the trace.dat; the directory stays until `removeDir`. Throws Failure. */
  async convert(settings: Omit<ConvertSettings, 'out'>): Promise<ConvertReport> {
    if (this.#dir === undefined) throw new Error('convert called before createDir');
    return convertToFile(this.#dir.path, { ...settings, out: this.part.out });
  }

  /** Removes the directory; `dir` still names it. */
  removeDir(): void {
    this.#dir?.remove();
  }

  /** Leaves the directory as it is; `dir` no longer names it, and nothing more is written. */
  forget(): void {
    this.#dir = undefined;
  }

  /** Removes the directory; `dir` no longer names it. Close the files first. */
  discard(): void {
    this.#files = new Map();
    this.#dir?.remove();
    this.#dir = undefined;
  }
}

/** Converts a recording directory to a trace.dat that would survive a power cut. Throws Failure. */
export async function convertToFile(dir: string, settings: ConvertSettings): Promise<ConvertReport> {
  const report = await convertRecording(dir, settings);
  await onDisk(settings.out);
  return report;
}

/** Syncs the file and its directory: raw pages may only be removed once the file would survive a power cut. */
async function onDisk(path: string): Promise<void> {
  for (const each of [path, dirname(path)]) {
    const file = await open(each, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
