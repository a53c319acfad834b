import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, errnoOf } from '../../base/error-code.ts';
import { isObject } from '../../base/json-type.ts';
import { writeReplacing } from '../../trace/file/write-replacing.ts';
import { Problem } from '../http/problem.ts';
import { leastFreeBytes } from '../settings.ts';
import type { Bus } from './bus.ts';
import { isId } from './ids.ts';
import type { MachineView, RecordingView } from './views.ts';

/** What is known of a recording, apart from the sizes of its files. */
export interface Entry {
  readonly format: 1;
  readonly id: string;
  readonly createdAt: string;
  readonly state: 'recording' | 'done';
  /** The process that records, and its start time in clock ticks since boot. */
  readonly recorder: { readonly pid: number; readonly startTicks: string } | null;
  readonly guests: readonly string[];
  readonly host: boolean;
  readonly spanNs: number;
  readonly lostBytes: number;
  readonly overrun: number;
  readonly machines: readonly Omit<MachineView, 'bytes'>[];
  readonly whole: boolean;
  readonly error: string | null;
}

const entryName = 'entry.json';
const maxEntryBytes = 1 << 20;

/** The recordings in a data directory: a folder for each. */
export class Recordings {
  readonly dir: string;
  readonly #bus: Bus;
  readonly #entries = new Map<string, Entry>();

  /** Creates the directory, and reads what is there. @throws node:fs errors */
  constructor(dataDir: string, bus: Bus) {
    this.dir = join(dataDir, 'recordings');
    this.#bus = bus;
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    for (const id of readdirSync(this.dir)) {
      const entry = isId(id) ? readEntry(join(this.dir, id, entryName)) : undefined;
      if (entry !== undefined) this.#entries.set(id, entry);
    }
  }

  /** Newest first. */
  list(): readonly RecordingView[] {
    const all = [...this.#entries.values()].map((entry) => this.#view(entry));
    return all.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  }

  entries(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** @throws Problem 404 */
  get(id: string): RecordingView {
    return this.#view(this.#entry(id));
  }

  /** Directory of the recording's files. @throws Problem 404 */
  folder(id: string): string {
    return join(this.dir, this.#entry(id).id);
  }

  /** Directory for what is computed from the recording; made on demand. @throws Problem 404 */
  cache(id: string): string {
    const dir = join(this.folder(id), 'cache');
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return dir;
  }

  /** Makes the folder of a new recording. @throws Problem if there is not enough space */
  async create(entry: Entry): Promise<string> {
    const free = this.freeBytes();
    if (free < leastFreeBytes)
      throw new Problem(
        507,
        `${this.dir} has ${free} bytes free, and a recording needs ${leastFreeBytes}`,
        'delete recordings, or serve with another --data',
      );
    const folder = join(this.dir, entry.id);
    try {
      mkdirSync(folder, { mode: 0o700 });
      await this.save(entry);
    } catch (cause) {
      rmSync(folder, { recursive: true, force: true });
      if (errnoOf(cause) === '') throw cause;
      throw new Problem(507, `cannot write to ${this.dir}: ${codeOf(cause)}`, 'free space there', { cause });
    }
    return folder;
  }

  /** Writes an entry, atomically. @throws Failure if it cannot be written; it is known all the same */
  async save(entry: Entry): Promise<void> {
    this.#entries.set(entry.id, entry);
    this.#bus.changed('recordings');
    try {
      await writeReplacing(join(this.dir, entry.id, entryName), (file) =>
        file.writeFile(`${JSON.stringify(entry)}\n`),
      );
    } catch (cause) {
      if (entry.state === 'recording' && entry.recorder === null) this.#entries.delete(entry.id);
      throw cause;
    }
  }

  /** Deletes a recording and all its files. @throws Problem 404; 409 while it is being made */
  delete(id: string): void {
    const entry = this.#entry(id);
    if (entry.state === 'recording')
      throw new Problem(409, 'the recording is still being made', 'stop its job first');
    // first its entry: what is left then is not found any more
    rmSync(join(this.dir, id, entryName), { force: true });
    rmSync(join(this.dir, id), { recursive: true, force: true });
    this.#entries.delete(id);
    this.#bus.changed('recordings');
  }

  /** Takes back `create`, for a recorder that could not be started. */
  takeBack(id: string): void {
    this.#entries.delete(id);
    rmSync(join(this.dir, id), { recursive: true, force: true });
    this.#bus.changed('recordings');
  }

  /** Free space for recordings, in bytes. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.dir);
    return bavail * bsize;
  }

  /** Bytes in a recording's folder now, also those of a recording that is being made. */
  bytesOf(id: string): number {
    return bytesBelow(join(this.dir, id), 3);
  }

  #entry(id: string): Entry {
    const found = this.#entries.get(id);
    if (found === undefined) throw new Problem(404, 'there is no such recording');
    return found;
  }

  #view({
    format: _format,
    recorder: _recorder,
    guests: _guests,
    host: _host,
    ...entry
  }: Entry): RecordingView {
    const machines = entry.machines.map(({ name, host, file, cpus }) => ({
      name,
      host,
      file,
      bytes: sizeOf(join(this.dir, entry.id, file)),
      cpus,
    }));
    const bytes =
      entry.state === 'recording'
        ? this.bytesOf(entry.id)
        : machines.reduce((sum, machine) => sum + machine.bytes, 0);
    return { ...entry, machines, bytes };
  }
}

function readEntry(path: string): Entry | undefined {
  try {
    if (statSync(path).size > maxEntryBytes) return undefined;
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this program writes it, atomically
    return isObject(value) && value['format'] === 1 ? (value as unknown as Entry) : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes; 0 if it is not there. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function bytesBelow(dir: string, depth: number): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isFile()) bytes += sizeOf(path);
      else if (entry.isDirectory() && depth > 0) bytes += bytesBelow(path, depth - 1);
    }
  } catch {
    // it has just been removed
  }
  return bytes;
}
