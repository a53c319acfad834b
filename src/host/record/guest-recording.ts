import { open } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import type { TraceRequest } from '../../protocol/control.ts';
import { ControlClient } from '../control/client.ts';
import { OrderRefused } from '../control/failures.ts';
import {
  convertRecording,
  type ConvertProgress,
  type ConvertReport,
  type ConvertSettings,
} from '../../trace/convert/convert.ts';
import { GuestDir } from '../guest-dir/guest-dir.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { readMetadataArchive } from '../../trace/metadata/archive.ts';
import { MetadataCache } from '../metadata/cache.ts';
import { fetchChanges, type FetchedMetadata, fetchMetadata } from '../metadata/changes.ts';
import { parseMetadata } from '../../trace/metadata/guest-metadata.ts';
import { instanceFiles } from '../../trace/metadata/instance-files.ts';
import { quoted } from '../../base/quoted.ts';
import { unseenLines } from '../../trace/metadata/unseen.ts';
import { cutOff } from '../qemu/guest-trouble.ts';
import { recordingVersion } from '../../trace/recording/recording-format.ts';
import type { Collector, StreamFault } from './collector.ts';
import { EventNames, knownEvents } from './event-names.ts';
import type { CpuProgress } from './contract.ts';
import { GuestAccount } from './guest-account.ts';
import { GuestPorts } from './guest-ports.ts';
import { firstPageAt } from '../../trace/recording/raw-file.ts';
import { joinAllCapped, RecordingDir } from '../../trace/recording/recording-dir.ts';

export interface RecordRequest {
  readonly location: GuestLocation;
  readonly out: string;
  readonly trace: TraceRequest | undefined;
  /** Whether to leave out events that the guest does not have. */
  readonly skipUnknown: boolean;
  /** Of what is kept of each CPU; undefined: everything. */
  readonly capBytes: number | undefined;
  readonly timeoutMs: number;
  /** Something that the user should know while it runs. */
  readonly note: (text: string) => void;
  /** This guest's recording cannot go on as it should; what was recorded is there. May be said more than once. */
  readonly failed: (why: Failure) => void;
}

/** A guest that has not said by then that it has taken a start back is left with the order to. */
const takeBackMs = 15_000;

/** One guest's recording, from its first byte to its trace.dat. */
export class GuestRecording {
  readonly guest: GuestDir;
  readonly #request: RecordRequest;
  readonly #client: ControlClient;
  readonly #collector: Collector;
  readonly #startedAt = new Date().toISOString();
  #dir: RecordingDir | undefined;
  #described: Promise<void> = Promise.resolve();
  /** The guest's metadata of the beginning. */
  #fetched: ReadonlyMap<string, Buffer> = new Map();
  readonly #ports: GuestPorts;
  /** Of an earlier trace, taken out of the files. */
  readonly #cutBytes = new Map<number, number>();
  readonly account: GuestAccount;
  /** From the order to start until the guest is known to trace for us no more. */
  #tracing = false;
  #discarded = false;
  #doing = '';
  #converted: ConvertProgress | undefined;

  private constructor(request: RecordRequest, guest: GuestDir, client: ControlClient, collector: Collector) {
    this.#request = request;
    this.guest = guest;
    this.#client = client;
    this.#collector = collector;
    this.account = new GuestAccount(request.trace?.instance !== undefined);
    this.#ports = new GuestPorts(guest, (cpu, fault) =>
      request.failed(failureOf(fault, guest, cpu, this.dir)),
    );
  }

  /** Takes the guest's control port. Orders nothing. @throws Failure */
  static async open(request: RecordRequest, collector: Collector): Promise<GuestRecording> {
    const guest = GuestDir.open(request.location);
    try {
      const lost = cutOff(guest);
      if (lost !== undefined) throw lost;
      const client = await ControlClient.open(guest, { timeoutMs: request.timeoutMs });
      return new GuestRecording(request, guest, client, collector);
    } catch (cause) {
      guest.close();
      throw cause;
    }
  }

  /** Where the recording is until it is finished; undefined before `begin`. */
  get dir(): string | undefined {
    return this.#dir?.path;
  }

  get out(): string {
    return this.#request.out;
  }

  /** What is waited for at the moment, for people; empty when nothing is. */
  get doing(): string {
    const { arriving } = this.#client;
    const ofHow = arriving === undefined ? '' : `, ${share(arriving)}`;
    const converted = this.#converted === undefined ? '' : `, ${share(this.#converted)}`;
    return this.#doing === '' ? '' : `${this.guest.label}: ${this.#doing}${ofHow}${converted}`;
  }

  /** Whether the guest traces for us, as far as is known. */
  get tracing(): boolean {
    return this.#tracing;
  }

  get progress(): readonly CpuProgress[] {
    return [...this.#ports.files].map(([cpu, file]) => ({
      cpu,
      receivedBytes: file.receivedBytes,
      keptBytes: file.keptBytes - (this.#cutBytes.get(cpu) ?? 0),
      overrun: this.account.overrun(cpu),
      readEvents: this.account.readEvents(cpu),
    }));
  }

  /**
   * Fetches what explains the pages, throws away what the ports still hold of an earlier trace, makes the directory,
   * and starts. From here on a recording that is killed can be converted.
   * @throws Failure; the guest does not trace for us then
   */
  async begin(): Promise<void> {
    try {
      await this.#begin();
    } finally {
      this.#doing = '';
    }
  }

  async #begin(): Promise<void> {
    this.#doing = 'waiting for its answer';
    const before = await this.#client.status();
    this.account.before = before;
    if (before.state !== 'stopped') {
      const { label, options } = this.guest;
      throw new Failure(
        exitCode.failed,
        `${label} is tracing already`,
        `stop that first: trace-host stop${options}`,
      );
    }
    this.#doing = 'fetching what explains its pages';
    const { packed, contents } = await this.#fetchAll();
    this.#fetched = contents;
    this.#mustGoOn();
    // what cannot be read later is refused now
    parseMetadata(contents);
    const trace = this.#resolved(contents);
    await this.#openPorts();
    this.#mustGoOn();
    this.#dir = new RecordingDir(this.#request.out);
    try {
      this.#dir.writeMetadata(packed);
      const dir = this.#dir;
      this.#ports.collectInto((cpu) => dir.rawFile(cpu, this.#request.capBytes));
      this.#writeRecording(null);
      this.#doing = 'waiting for it to start';
      this.#tracing = true;
      this.account.started = await this.#client.start(trace);
      this.#ports.havePages(this.account.started.pageBytes);
    } catch (cause) {
      // who discards it is at it already
      if (this.#discarded) throw cause;
      // a refusal has changed nothing; whatever else went wrong, the start may still be carried out
      if (cause instanceof OrderRefused) this.#tracing = false;
      await this.discard();
      throw cause;
    }
  }

  #resolved(contents: ReadonlyMap<string, Buffer>): TraceRequest | undefined {
    const { trace, skipUnknown, note } = this.#request;
    if (trace === undefined) return undefined;
    const skip = (name: string): void =>
      note(`${this.guest.label} has no event ${quoted(name)}, which is left out`);
    return new EventNames(knownEvents(contents.keys()), skipUnknown ? skip : undefined).resolve(trace);
  }

  /** With what the guest's last recording has left, only what has changed. */
  async #fetchAll(): Promise<FetchedMetadata> {
    const cache = new MetadataCache(this.guest.path);
    const known = await cache.read();
    const fetched = await fetchMetadata(this.#client, known);
    // what is no metadata is not kept; who reads it says so
    if (fetched.contents.has(instanceFiles.page)) cache.write(fetched.packed);
    return fetched;
  }

  /**
   * The traced instance may have been made by the start, and what was fetched before is another's: pages of another size,
   * another clock. Fetches what it has for itself, while it is there; a stop waits for that. Pages come meanwhile.
   */
  describe(): void {
    this.#described = this.#describeInstance();
  }

  async #describeInstance(): Promise<void> {
    let options: string | undefined;
    try {
      // page size and clock
      this.#writeRecording(null);
      const packed = await this.#client.metadata('instance');
      const own = await readMetadataArchive([packed]);
      this.#dir?.writeInstance(packed);
      options = own.get('trace_options')?.toString('latin1');
    } catch (cause) {
      // those two are known without; an older agent does not know this part
      if (!(cause instanceof Failure)) throw cause;
      if (!(cause instanceof OrderRefused)) this.#request.note(cause.message);
    }
    if (!unseenLines(this.account.started?.instance, options)?.includes('trace_marker')) return;
    const what = `${this.guest.label}: what programs write to trace_marker is not in this trace, but in the top-level buffer`;
    const remedy = 'to record that: -B top';
    this.#request.note(`${what} — ${remedy}`);
  }

  /** Asks how it goes. @throws Failure when the guest is gone, or its agent traces no more */
  async look(): Promise<void> {
    const last = this.account.status ?? this.account.before;
    const status = await this.#client.status();
    this.account.status = status;
    const { state, uptimeMs } = status;
    if (uptimeMs < (last?.uptimeMs ?? 0)) {
      this.#tracing = false;
      throw new Failure(
        exitCode.failed,
        `the agent of ${this.guest.label} was started anew and traces no more`,
      );
    }
    if (state === 'stopped') {
      this.#tracing = false;
      throw new Failure(exitCode.failed, `${this.guest.label} was stopped by somebody else`);
    }
  }

  /** Stops, and waits until all that was sent has arrived. @throws Failure when the guest does not stop */
  async stop(): Promise<void> {
    this.#doing = 'waiting for it to send what is in its rings, and to stop';
    try {
      await this.#described;
      this.account.stopped = await this.#client.stop();
      this.#tracing = false;
      await this.#arrive();
    } finally {
      this.#doing = '';
    }
  }

  /**
   * Takes a beginning back: the guest is told to stop if it was told to start, and nothing is kept. Waits a while for
   * its word that it has; throws nothing.
   */
  async discard(): Promise<void> {
    this.#discarded = true;
    if (this.#tracing) {
      this.#doing = 'taking the start back';
      const stopped = this.#client.stop().then(
        () => true,
        () => false,
      );
      const late = new Promise<false>((resolve) => setTimeout(resolve, takeBackMs, false).unref());
      if (!(await Promise.race([stopped, late])) && !this.#client.isGone)
        this.#request.note(`${this.guest.label} was told to stop again, and has not said that it did`);
      this.#tracing = false;
    }
    this.#remove();
  }

  /**
   * Fetches what came up meanwhile: names of tasks, and formats of events that came into being.
   * @throws Failure; what was known at the beginning is there then
   */
  async fetchChanges(): Promise<void> {
    this.#doing = 'fetching the names of its tasks, and events that are new';
    try {
      const changes = await fetchChanges(this.#client, this.#fetched);
      const packed = changes?.packed ?? (await this.#client.metadata('names'));
      // an archive that cannot be read would stand in the way of every conversion
      if (changes === undefined) await readMetadataArchive([packed]);
      this.#dir?.writeNames(packed);
    } finally {
      this.#doing = '';
    }
  }

  /** Ends the directory, when nothing is collected any more: only `convert` is left to do. @throws Failure; what was recorded is there */
  async close(): Promise<void> {
    this.#client.close();
    this.guest.close();
    this.#ports.close();
    this.#dir?.unlock();
    if (this.#ports.files.size === 0) return;
    this.#writeRecording(new Date().toISOString());
    if (this.#dir === undefined) return;
    await joinAllCapped(this.#dir.path, [...this.#ports.files.keys()]);
    await this.#dropEarlier(this.#dir);
    this.#writeRecording(new Date().toISOString());
  }

  /** What the guest had held back of an earlier trace, whose pages may be of another size and another clock. */
  async #dropEarlier(dir: RecordingDir): Promise<void> {
    const { started } = this.account;
    if (started === undefined) return;
    for (const [cpu, file] of this.#ports.files) {
      const earlierBytes = this.account.earlierBytes(cpu);
      const droppedBytes = file.receivedBytes - file.keptBytes;
      if (earlierBytes === 0) continue;
      const bytes = Math.min(firstPageAt(earlierBytes, droppedBytes, started.pageBytes), file.keptBytes);
      if (bytes > 0) await dir.dropFront(cpu, bytes);
      this.#cutBytes.set(cpu, bytes);
      this.#request.note(
        `${this.guest.label}, CPU ${cpu}: threw away ${bytes} bytes of an earlier trace that the guest had held back`,
      );
    }
  }

  /** Makes the trace.dat; the directory stays until `removeDir`. @throws Failure */
  async convert(settings: Omit<ConvertSettings, 'out'>): Promise<ConvertReport> {
    if (this.#dir === undefined) throw new Error('converted before it began');
    this.#doing = `writing ${this.#request.out}`;
    try {
      const report = await convertRecording(this.#dir.path, {
        ...settings,
        out: this.#request.out,
        onProgress: (progress) => {
          this.#converted = progress;
        },
      });
      await onDisk(this.#request.out);
      return report;
    } finally {
      this.#doing = '';
      this.#converted = undefined;
    }
  }

  /** To be called when every page is in the file, and nothing is missing. */
  removeDir(): void {
    this.#dir?.remove();
  }

  async #openPorts(): Promise<void> {
    this.#ports.open(this.#collector);
    const bytes = await this.#ports.drain(() => this.#mustGoOn());
    if (bytes === 0) return;
    // what waited for a reader may be counted as sent only now
    this.account.before = await this.#client.status();
    this.#request.note(
      `${this.guest.label}: threw away ${bytes} bytes of an earlier trace that nobody had read`,
    );
  }

  /** The agent counts what it has sent: that many bytes are to come. @throws Failure when they do not */
  async #arrive(): Promise<void> {
    const missing = await this.#ports.arrive((cpu) => this.account.sentBytes(cpu));
    this.#mustHavePorts();
    const [first] = missing;
    if (first === undefined) return;
    const [cpu] = first;
    const bytes = missing.reduce((sum, [, each]) => sum + each, 0);
    const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
    throw new Failure(
      exitCode.lost,
      `${this.guest.label}, CPU ${cpu}${more}: ${bytes} bytes that the agent sent did not arrive`,
      'see which other program reads the trace ports',
    );
  }

  /** What a CPU without a port here has sent went to whatever its port is connected with. @throws Failure */
  #mustHavePorts(): void {
    for (const cpu of this.account.sendingCpus) {
      if (this.#ports.files.has(cpu)) continue;
      const { label, path, options } = this.guest;
      throw new Failure(
        exitCode.lost,
        `${label}, CPU ${cpu}: ${this.account.sentBytes(cpu)} bytes were sent to a port that has no file in ${printable(path)}`,
        `see trace-host doctor${options}`,
      );
    }
  }

  /** Between the steps of a beginning: one that is taken back must not take the next. */
  #mustGoOn(): void {
    if (this.#discarded) throw new Failure(exitCode.failed, 'interrupted');
  }

  #remove(): void {
    this.#ports.forgetFiles();
    this.#dir?.remove();
    this.#dir = undefined;
  }

  #writeRecording(endedAt: string | null): void {
    const { before, started, stopped } = this.account;
    const source = stopped ?? started;
    this.#dir?.writeRecording({
      version: recordingVersion,
      guest: this.guest.guest ?? '',
      cpus: [...this.#ports.files].map(([cpu, file]) => ({
        cpu,
        bytes: file.keptBytes - (this.#cutBytes.get(cpu) ?? 0),
        ring: this.account.ring(cpu),
      })),
      pageBytes: source?.pageBytes ?? null,
      clock: source?.clock ?? this.#request.trace?.clock ?? null,
      startedAt: this.#startedAt,
      endedAt,
      agentVersion: before?.version ?? null,
      ...(source === undefined ? {} : { instance: source.instance }),
      hostKernel: release(),
      events: this.#request.trace?.events ?? [],
    });
  }
}

function share({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }): string {
  return `${Math.floor((doneBytes / Math.max(1, totalBytes)) * 100)} %`;
}

/** The raw pages go only when the file, and its name, would outlast a power cut. */
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

function failureOf(fault: StreamFault, guest: GuestDir, cpu: number, dir: string | undefined): Failure {
  if (fault.kind === 'file') {
    const what = fault.code === 'ENOSPC' ? 'the disk is full' : `the file takes no more (${fault.code})`;
    return new Failure(exitCode.failed, `${guest.label}, CPU ${cpu}: ${what}`, `make room beside ${dir}`);
  }
  return new Failure(exitCode.failed, `${guest.label}, CPU ${cpu}: its port broke (${fault.code})`);
}
