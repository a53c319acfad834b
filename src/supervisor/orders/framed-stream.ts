import type { Logger } from 'pino';
import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import type { FramedAbout, FramedEnd } from '../../protocol/framed-texts.ts';
import { encodeFrameHeader, encodeHead, type FrameKind, frameKinds } from '../../protocol/frames.ts';
import type { MetadataDigests } from '../../protocol/control.ts';
import { digestsOf } from '../../protocol/metadata-groups.ts';
import { packMetadata } from '../../tracefs/metadata/metadata.ts';
import type { Tracefs } from '../../tracefs/tracefs.ts';
import { version } from '../../base/version.ts';
import { OutletWriter } from '../ports/outlet-writer.ts';
import type { OutletSource } from '../ports/outlets.ts';
import type { Supervisor } from '../workers/supervisor.ts';
import { type RingCounts, ringCountsOf, type TracingReport } from './tracing.ts';

/**
 * Writes the supervisor's part of a framed stream: everything before the first page and after the last. No worker moves
 * pages at that time, so the supervisor does not need the outlet's lock.
 */
export class FramedStream {
  readonly #sync: Uint8Array;
  readonly #writer: OutletWriter;
  readonly #supervisor: Supervisor;
  readonly #tracefs: Tracefs;
  readonly #stopTimeoutMs: number;
  readonly #log: Logger;
  /** The rings' counts before the first page; undefined until the beginning is written. */
  #countedBefore: RingCounts | undefined;
  #known: MetadataDigests = {};

  /** @param sync the bytes that frame headers begin with. @throws Failure when stdout cannot be opened */
  constructor(
    outlets: OutletSource,
    sync: Uint8Array,
    supervisor: Supervisor,
    tracefs: Tracefs,
    stopTimeoutMs: number,
    log: Logger,
  ) {
    this.#sync = sync;
    this.#writer = new OutletWriter(outlets.open(0));
    this.#supervisor = supervisor;
    this.#tracefs = tracefs;
    this.#stopTimeoutMs = stopTimeoutMs;
    this.#log = log;
  }

  /**
   * Writes the head and the metadata. Takes half a second (several under emulation), plus the time that the reader
   * needs.
   * @returns the errno's name when stdout accepts no more
   */
  async begin(): Promise<string | undefined> {
    const tracefs = this.#tracefs;
    const pageBytes = tracefs.pageBytes();
    const about: FramedAbout = {
      agentVersion: version,
      instance: tracefs.instance ?? null,
      clock: tracefs.clocks().current ?? 'local',
      pageBytes,
      cpus: this.#supervisor.cpus.map(({ number }) => number),
    };
    const files = new Map<string, Buffer>();
    const patienceMs = Number.POSITIVE_INFINITY;
    try {
      await this.#write(encodeHead({ pageBytes, sync: this.#sync }), patienceMs);
      await this.#writeFrame(frameKinds.about, textOf(about), patienceMs);
      const { packed } = await packMetadata(tracefs, 'all', {}, ({ name, content }) =>
        files.set(name, content),
      );
      await this.#writeFrame(frameKinds.metadata, packed, patienceMs);
    } catch (error) {
      if (error instanceof OutletGone) return error.code;
      const code = errorCode(error);
      if (code === '') throw error;
      throw new Failure(exitCode.failed, `cannot read the metadata: ${code}`, 'run as root', {
        cause: error,
      });
    }
    this.#known = digestsOf(files);
    this.#countedBefore = ringCountsOf(tracefs, about.cpus);
    return undefined;
  }

  /** Whether everything before the pages is written. */
  get begun(): boolean {
    return this.#countedBefore !== undefined;
  }

  /**
   * Writes the changed metadata and the totals, after all workers have exited. If the beginning was
   * not written, the end is not written either and the stream is incomplete.
   * @returns whether the stream is complete
   */
  async end({ stats }: TracingReport): Promise<boolean> {
    const before = this.#countedBefore;
    if (before === undefined) return false;
    const cpus = this.#supervisor.cpus.map(({ number, account, heldBytes }) => [
      String(number),
      {
        bytes: account.bytesOut + account.bytesLost + heldBytes,
        ring: stats.get(number) ?? null,
        ringBefore: before.get(number) ?? null,
      },
    ]);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.fromEntries forgets the type
    const end = { cpus: Object.fromEntries(cpus) } as FramedEnd;
    try {
      const { packed } = await packMetadata(this.#tracefs, 'all', this.#known);
      await this.#writeFrame(frameKinds.laterMetadata, packed, this.#stopTimeoutMs);
      await this.#writeFrame(frameKinds.end, textOf(end), this.#stopTimeoutMs);
      return true;
    } catch (error) {
      if (!(error instanceof OutletGone)) throw error;
      this.#log.error({ code: error.code }, 'stdout does not accept the end of the stream');
      return false;
    }
  }

  /** Aborts the current write. */
  close(): void {
    this.#writer.close();
  }

  async #writeFrame(kind: FrameKind, body: Uint8Array, patienceMs: number): Promise<void> {
    const header = encodeFrameHeader(this.#sync, { kind, cpu: 0, bytes: body.byteLength, position: 0 });
    await this.#write(Buffer.concat([header, body]), patienceMs);
  }

  async #write(bytes: Uint8Array, patienceMs: number): Promise<void> {
    try {
      await this.#writer.write(bytes, patienceMs);
    } catch (error) {
      const code = errorCode(error);
      throw code === '' ? error : new OutletGone(code, { cause: error });
    }
  }
}

/** Thrown when stdout accepts no more data; `code` is the errno's name. */
class OutletGone extends Error {
  readonly code: string;

  constructor(code: string, options: ErrorOptions) {
    super(`stdout accepts no more: ${code}`, options);
    this.code = code;
  }
}

function textOf(value: FramedAbout | FramedEnd): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
