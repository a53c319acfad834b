import { quoted } from '../../base/quoted.ts';
import { Failure } from '../../base/failure.ts';
import type { TraceRequest } from '../../protocol/control.ts';
import { readMetadataArchive } from '../../trace/metadata/archive.ts';
import { instanceFiles } from '../../trace/metadata/instance-files.ts';
import { unseenLines } from '../../trace/metadata/unseen.ts';
import type { RecordingDir } from '../../trace/recording/recording-dir.ts';
import type { ControlClient } from '../control/client.ts';
import { OrderRefused } from '../control/failures.ts';
import { type TracedMachine, whose } from '../traced-machine.ts';
import { MetadataCache } from '../metadata/cache.ts';
import { fetchChanges, type FetchedMetadata, fetchMetadata } from '../metadata/changes.ts';
import { EventNames, knownEvents } from '../events/event-names.ts';
import type { RecordTarget } from './contract.ts';

/** Fetches a guest's metadata before, during and after a recording. */
export class MetadataFetch {
  readonly #guest: TracedMachine;
  readonly #client: ControlClient;
  readonly #note: (text: string) => void;
  /** The guest's metadata as fetched before the start. */
  #fetched: ReadonlyMap<string, Buffer> = new Map();

  constructor(guest: TracedMachine, client: ControlClient, note: (text: string) => void) {
    this.#guest = guest;
    this.#client = client;
    this.#note = note;
  }

  /** Fetches all metadata, except for groups that are in the cache and have not changed. Throws Failure. */
  async all(): Promise<FetchedMetadata> {
    const cache = new MetadataCache(this.#guest.path);
    const known = await cache.read();
    const fetched = await fetchMetadata(this.#client, known);
    // invalid metadata is not cached; parsing it reports the error
    if (fetched.contents.has(instanceFiles.page)) cache.write(fetched.packed);
    this.#fetched = fetched.contents;
    return fetched;
  }

  /** Replaces patterns by the names of the guest's events. Throws Failure. */
  resolve(
    trace: TraceRequest | undefined,
    skipUnknown: RecordTarget['skipUnknown'],
  ): TraceRequest | undefined {
    if (trace === undefined) return undefined;
    const mayLack = (asked: string): boolean =>
      typeof skipUnknown === 'boolean' ? skipUnknown : skipUnknown.includes(asked);
    const skip = (name: string): void =>
      this.#note(`${this.#guest.label} has no event ${quoted(name)}: skipped`);
    return new EventNames(knownEvents(this.#fetched.keys()), { mayLack, skip }, whose(this.#guest)).resolve(
      trace,
    );
  }

  /** Fetches the metadata of the traced instance while it exists, after `writeFirst`. A Failure is reported as a note. */
  async instance(
    dir: RecordingDir | undefined,
    instance: string | null | undefined,
    writeFirst: () => void,
  ): Promise<void> {
    let options: string | undefined;
    try {
      writeFirst();
      const packed = await this.#client.metadata('instance');
      const own = await readMetadataArchive([packed]);
      dir?.writeInstance(packed);
      options = own.get('trace_options')?.toString('latin1');
    } catch (cause) {
      // an older agent does not know this part; page size and clock are known without it
      if (!(cause instanceof Failure)) throw cause;
      if (!(cause instanceof OrderRefused)) this.#note(cause.message);
    }
    if (!unseenLines(instance, options)?.includes('trace_marker')) return;
    const what = `${this.#guest.label}: this trace does not include writes to trace_marker, which go to the top-level buffer`;
    const remedy = 'to record them, use record -B top';
    this.#note(`${what} — ${remedy}`);
  }

  /** Fetches task names, and formats of events added during the recording. Throws Failure. */
  async changes(dir: RecordingDir | undefined): Promise<void> {
    const changes = await fetchChanges(this.#client, this.#fetched);
    const packed = changes?.packed ?? (await this.#client.metadata('names'));
    // an unreadable archive would make every conversion fail
    if (changes === undefined) await readMetadataArchive([packed]);
    dir?.writeNames(packed);
  }
}
