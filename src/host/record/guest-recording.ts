import { exitCode, Failure } from '../../base/failure.ts';
import type { ConvertProgress, ConvertReport, ConvertSettings } from '../../trace/convert/convert.ts';
import { parseMetadata } from '../../trace/metadata/guest-metadata.ts';
import { ControlClient } from '../control/client.ts';
import { OrderRefused } from '../control/failures.ts';
import type { PingRound } from '../control/ping.ts';
import type { ClockPing, RecordedAlignment } from '../../trace/recording/clock-files.ts';
import type { RecordedPause } from '../../trace/dat/pause-note.ts';
import type { RecordedTsc } from '../../trace/recording/recording-format.ts';
import type { TraceRequest } from '../../protocol/control.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { failureOf, waitForArrival } from './arrival.ts';
import type { Collector } from './collector.ts';
import type { RecordRequest } from './contract.ts';
import { GuestAccount } from './guest-account.ts';
import { GuestPorts } from './guest-ports.ts';
import { MetadataFetch } from './metadata-fetch.ts';
import type { RecordedFiles } from './recorded-files.ts';
import { RecordedSets } from './recorded-sets.ts';

/** How long to wait for the guest to confirm a cancelled start. */
const cancelTimeoutMs = 15_000;

/** One guest's recording, from the metadata to the trace.dat. */
export class GuestRecording {
  readonly guest: TracedMachine;
  readonly #request: RecordRequest;
  readonly #client: ControlClient;
  readonly #collector: Collector;
  #described: Promise<void> = Promise.resolve();
  #packed: Uint8Array = new Uint8Array();
  /** The request with the names of the guest's events. */
  #trace: TraceRequest | undefined;
  readonly #metadata: MetadataFetch;
  readonly #ports: GuestPorts;
  readonly sets: RecordedSets;
  #isFinished = false;
  readonly account: GuestAccount;
  /** True from the start order until this recording's tracing is known to have ended. */
  #tracing = false;
  #discarded = false;
  #doing = '';
  #converted: ConvertProgress | undefined;

  private constructor(request: RecordRequest, client: ControlClient, collector: Collector) {
    const guest = request.machine;
    this.#request = request;
    this.guest = guest;
    this.#client = client;
    this.#collector = collector;
    this.#metadata = new MetadataFetch(guest, client, request.note);
    this.account = new GuestAccount(request.trace?.instance !== undefined);
    this.#ports = new GuestPorts(guest, (cpu, fault) =>
      request.failed(failureOf(fault, guest, cpu, this.dir)),
    );
    this.sets = new RecordedSets(request, this.#ports, this.account, this.#metadata);
  }

  /**
   * Opens and locks the machine's control port. Takes over the machine, and closes it even on failure. Sends no order.
   * @throws Failure
   */
  static async open(request: RecordRequest, collector: Collector): Promise<GuestRecording> {
    const { machine, timeoutMs } = request;
    try {
      return new GuestRecording(request, await ControlClient.open(machine, { timeoutMs }), collector);
    } catch (cause) {
      machine.close();
      throw cause;
    }
  }

  /** The recording directory, until the recording is finished; undefined before `start`. */
  get dir(): string | undefined {
    return this.#files.dir?.path;
  }

  get label(): string {
    return this.guest.label;
  }

  get traceClock(): string | undefined {
    return this.account.started?.clock;
  }

  /** The file of the current set. */
  get out(): string {
    return this.#files.part.out;
  }

  get #files(): RecordedFiles {
    return this.sets.current;
  }

  /** The step in progress, for people; empty while there is none. */
  get doing(): string {
    const { arriving } = this.#client;
    const received = arriving === undefined ? '' : `, ${share(arriving)}`;
    const converted = this.#converted === undefined ? '' : `, ${share(this.#converted)}`;
    return this.#doing === '' ? '' : `${this.guest.label}: ${this.#doing}${received}${converted}`;
  }

  /** Whether the guest traces for this recording, as far as is known. */
  get tracing(): boolean {
    return this.#tracing;
  }

  /** Whether nobody can answer any more, because QEMU has closed the control port. */
  get isGone(): boolean {
    return this.#client.isGone;
  }

  /** Id of the machine's file in a set. */
  traceId(set: number): bigint {
    return this.#request.partOf(set).traceId;
  }

  /** Fetches metadata and drains stale pages from the ports. @throws Failure */
  async prepare(): Promise<void> {
    try {
      await this.#prepare();
    } finally {
      this.#doing = '';
    }
  }

  /**
   * Creates the recording directory, then starts tracing. After that, a recording that is killed can still be
   * converted.
   * @throws Failure; the guest does not trace for this recording then
   */
  async start(): Promise<void> {
    try {
      await this.#start();
    } finally {
      this.#doing = '';
    }
  }

  async #prepare(): Promise<void> {
    this.#doing = 'waiting for its answer';
    const before = await this.#client.status();
    this.account.before = before;
    if (before.state !== 'stopped') {
      const { label, options } = this.guest;
      throw new Failure(
        exitCode.failed,
        `${label} is already tracing`,
        `stop that trace first: trace-host stop${options}`,
      );
    }
    this.#doing = 'fetching metadata';
    const { packed, contents } = await this.#metadata.all();
    this.#packed = packed;
    this.#mustGoOn();
    // parse it now, so that metadata that the conversion could not read is an error before the start
    parseMetadata(contents);
    this.#trace = this.#metadata.resolve(this.#request.trace, this.#request.skipUnknown);
    await this.#openPorts();
  }

  async #start(): Promise<void> {
    this.#mustGoOn();
    this.#files.createDir();
    try {
      this.#ports.collectInto(this.#files.begin(this.#packed, this.guest.cpus));
      this.#doing = 'waiting for it to start';
      this.#tracing = true;
      this.account.started = await this.#client.start(this.#trace);
      this.#ports.havePages(this.account.started.pageBytes);
    } catch (cause) {
      // discard() is already running
      if (this.#discarded) throw cause;
      // a refused start has changed nothing; after any other error the guest may still start
      if (cause instanceof OrderRefused) this.#tracing = false;
      await this.discard();
      throw cause;
    }
  }

  /**
   * Fetches the metadata of the traced instance in the background, while it exists; `stop` waits for that. The start may
   * have created the instance, and its page size and clock differ from those fetched before.
   */
  describe(): void {
    this.#described = this.#describeInstance();
  }

  async #describeInstance(): Promise<void> {
    await this.#metadata.instance(this.#files.dir, this.account.started?.instance, () =>
      // recording.json now gets page size and clock
      this.#files.describe(null),
    );
  }

  /** Settles when what was begun by `describe` or `fetchBetween` is done. */
  get described(): Promise<void> {
    return this.#described;
  }

  /** Creates the directory and the files of another set. @throws Failure; then nothing has changed */
  prepareSet(set: number): void {
    this.sets.prepare(set, this.#packed);
  }

  /** Fetches the names for the sets on both sides of a change; `stop` waits for that. @throws Failure */
  async fetchBetween(): Promise<void> {
    const fetched = this.fetchChanges();
    this.#described = fetched.catch(() => undefined);
    await fetched;
  }

  /** Ends the collection of a machine that has stopped, while that of others goes on. @throws Failure */
  async seal(): Promise<void> {
    this.#ports.seal();
    await this.#finish();
  }

  /** Updates the list of guests in this host's recording after it has changed. @throws Failure */
  describeGuests(endedAt: string | null = null): void {
    this.#files.describe(endedAt);
  }

  /** Reads the clocks of the machine between two readings of this host's clocks. @throws Failure */
  ping(): Promise<PingRound> {
    return this.#client.ping();
  }

  /** Adds readings of the machine's clock to the recording. @throws Failure */
  addPings(pings: readonly ClockPing[]): void {
    for (const { dir } of this.sets.open) dir?.addPings(pings);
  }

  /** Replaces the pauses of the recording. Call this only before `close`. @throws Failure */
  setPauses(pauses: readonly RecordedPause[]): void {
    this.#files.setPauses(pauses);
  }

  /** Writes to the recording how its TSC is computed. Call this only before `close`. @throws Failure */
  setTsc(tsc: RecordedTsc): void {
    this.#files.setTsc(tsc);
  }

  /** Writes to the recording how its times are converted to the host's. @throws Failure */
  writeAlignment(alignment: RecordedAlignment): void {
    this.#files.dir?.writeAlignment(alignment);
  }

  /** Fetches the status. @throws Failure when the guest is gone, or its agent no longer traces */
  async look(): Promise<void> {
    const last = this.account.status ?? this.account.before;
    const status = await this.#client.status();
    this.account.status = status;
    const { state, uptimeMs } = status;
    if (uptimeMs < (last?.uptimeMs ?? 0)) {
      this.#tracing = false;
      throw new Failure(
        exitCode.failed,
        `the agent of ${this.guest.label} was restarted and is no longer tracing`,
      );
    }
    if (state === 'stopped') {
      this.#tracing = false;
      throw new Failure(exitCode.failed, `another program stopped the trace of ${this.guest.label}`);
    }
  }

  /** Stops tracing, and waits until all that was sent has arrived. @throws Failure when the guest does not stop */
  async stop(): Promise<void> {
    this.#doing = 'waiting for it to flush its ring buffers and stop';
    try {
      await this.#described;
      this.account.stopped = await this.#client.stop();
      this.#tracing = false;
      await waitForArrival(this.guest, this.#ports, this.account);
    } finally {
      this.#doing = '';
    }
  }

  /**
   * Undoes `start`: sends a stop if a start was sent, and removes the recording. Waits up to 15 s for the guest to
   * confirm; does not throw.
   */
  async discard(): Promise<void> {
    this.#discarded = true;
    if (this.#tracing) {
      this.#doing = 'cancelling the start';
      const stopped = this.#client.stop().then(
        () => true,
        () => false,
      );
      const late = new Promise<false>((resolve) => setTimeout(resolve, cancelTimeoutMs, false).unref());
      if (!(await Promise.race([stopped, late])) && !this.#client.isGone)
        this.#request.note(`${this.guest.label} was told to stop and has not confirmed it`);
      this.#tracing = false;
    }
    this.#ports.forgetFiles();
    this.#files.discard();
  }

  /**
   * Fetches task names, and formats of events added during the recording.
   * @throws Failure; the metadata from before the start is kept
   */
  async fetchChanges(): Promise<void> {
    this.#doing = 'fetching task names and formats of new events';
    try {
      await this.#metadata.changes(() => this.sets.open.map(({ dir }) => dir));
    } finally {
      this.#doing = '';
    }
  }

  /** Completes the directory after collection has ended; only `convert` is left. @throws Failure; what was recorded is kept */
  async close(): Promise<void> {
    this.#client.close();
    this.guest.close();
    this.#ports.close();
    await this.#finish();
  }

  async #finish(): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    await this.#files.finish();
  }

  /** Writes the trace.dat; the directory stays until `removeDir`. @throws Failure */
  async convert(settings: Omit<ConvertSettings, 'out'>): Promise<ConvertReport> {
    this.#doing = `writing ${this.out}`;
    try {
      return await this.#files.convert({
        ...settings,
        onProgress: (progress) => {
          this.#converted = progress;
        },
      });
    } finally {
      this.#doing = '';
      this.#converted = undefined;
    }
  }

  /** Removes the recording directory. Call this only when the trace.dat has every page. */
  removeDir(): void {
    this.#files.removeDir();
  }

  async #openPorts(): Promise<void> {
    this.#ports.open(this.#collector);
    const bytes = await this.#ports.drain(() => this.#mustGoOn());
    if (bytes === 0) return;
    // the agent counts bytes that waited for a reader as sent only now
    this.account.before = await this.#client.status();
    this.#request.note(
      `${this.guest.label}: discarded ${bytes} bytes of an earlier trace that had not been read`,
    );
  }

  /** Called between the steps of `prepare` and `start`. @throws Failure if the start was cancelled */
  #mustGoOn(): void {
    if (this.#discarded) throw new Failure(exitCode.failed, 'interrupted');
  }
}

function share({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }): string {
  return `${Math.floor((doneBytes / Math.max(1, totalBytes)) * 100)} %`;
}
