import { open } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { convertRecording, type ConvertReport, type ConvertSettings } from '../../trace/convert/convert.ts';
import { joinAllCapped, RecordingDir } from '../../trace/recording/recording-dir.ts';
import type { RecordedPause } from '../../trace/dat/pause-note.ts';
import { type RecordedTsc, recordingVersion } from '../../trace/recording/recording-format.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { dropEarlierPages } from './arrival.ts';
import type { RecordRequest } from './contract.ts';
import type { GuestAccount } from './guest-account.ts';
import type { GuestPorts } from './guest-ports.ts';

/** What one guest's recording has on this host: its directory with the pages of each CPU, then the trace.dat. */
export class RecordedFiles {
  readonly #request: RecordRequest;
  readonly #guest: TracedMachine;
  readonly #ports: GuestPorts;
  readonly #account: GuestAccount;
  readonly #startedAt = new Date().toISOString();
  #dir: RecordingDir | undefined;
  #pauses: readonly RecordedPause[] | undefined;
  #tsc: RecordedTsc | undefined;
  /** Bytes of an earlier trace removed from the files, by CPU. */
  readonly #cutBytes = new Map<number, number>();

  constructor(request: RecordRequest, guest: TracedMachine, ports: GuestPorts, account: GuestAccount) {
    this.#request = request;
    this.#guest = guest;
    this.#ports = ports;
    this.#account = account;
  }

  /** Undefined before `createDir` and after `discard`. */
  get dir(): RecordingDir | undefined {
    return this.#dir;
  }

  /** Bytes of a CPU in its file, without those of an earlier trace. */
  keptBytes(cpu: number): number {
    return (this.#ports.files.get(cpu)?.keptBytes ?? 0) - (this.#cutBytes.get(cpu) ?? 0);
  }

  /** Throws Failure. */
  createDir(): void {
    this.#dir = new RecordingDir(this.#request.out);
  }

  /** Writes the guest's metadata, and starts collecting the pages from the ports into the directory. Throws Failure. */
  begin(packed: Uint8Array): void {
    const dir = this.#dir;
    if (dir === undefined) throw new Error('begin called before createDir');
    dir.writeMetadata(packed);
    this.#ports.collectInto((cpu) => dir.rawFile(cpu, this.#request.capBytes));
    this.describe(null);
  }

  /** Replaces the pauses of a guest. Throws Failure. */
  setPauses(pauses: readonly RecordedPause[]): void {
    this.#pauses = pauses;
    this.describe(null);
  }

  /** Notes how KVM computes the TSC of a guest. Throws Failure. */
  setTsc(tsc: RecordedTsc): void {
    this.#tsc = tsc;
    this.describe(null);
  }

  /** Writes recording.json, as much as is known. */
  describe(endedAt: string | null): void {
    const { before, started, stopped } = this.#account;
    const source = stopped ?? started;
    this.#dir?.writeRecording({
      version: recordingVersion,
      guest: this.#guest.guest ?? '',
      cpus: [...this.#ports.files.keys()].map((cpu) => ({
        cpu,
        bytes: this.keptBytes(cpu),
        ring: this.#account.ring(cpu),
      })),
      pageBytes: source?.pageBytes ?? null,
      clock: source?.clock ?? this.#request.trace?.clock ?? null,
      startedAt: this.#startedAt,
      endedAt,
      agentVersion: before?.version ?? null,
      ...(source === undefined ? {} : { instance: source.instance }),
      hostKernel: release(),
      events: this.#request.trace?.events ?? [],
      traceId: String(this.#request.traceId),
      ...(this.#request.guests === undefined ? {} : { guests: this.#request.guests() }),
      ...(this.#pauses === undefined ? {} : { pauses: this.#pauses }),
      ...(this.#tsc === undefined ? {} : { tsc: this.#tsc }),
    });
  }

  /** Completes the directory after collection has ended; only `convert` is left. Throws Failure. */
  async finish(): Promise<void> {
    this.#dir?.unlock();
    if (this.#ports.files.size === 0) return;
    this.describe(new Date().toISOString());
    if (this.#dir === undefined) return;
    await joinAllCapped(this.#dir.path, [...this.#ports.files.keys()]);
    await dropEarlierPages(this.#dir, this.#ports, this.#account, (cpu, bytes) => {
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
    const { out } = this.#request;
    const report = await convertRecording(this.#dir.path, { ...settings, out });
    await onDisk(out);
    return report;
  }

  /** Removes the directory; `dir` still names it. */
  removeDir(): void {
    this.#dir?.remove();
  }

  /** Removes the directory; `dir` no longer names it. */
  discard(): void {
    this.#ports.forgetFiles();
    this.#dir?.remove();
    this.#dir = undefined;
  }
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
