import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import { exitCode, Failure } from '../../base/failure.ts';
import { Output } from '../file/output.ts';
import { unfinishedFile } from '../file/unfinished-files.ts';

/** Output file for one CPU's byte stream of pages; chunks need not end at page boundaries. */
export interface RawFile {
  /** Descriptor for the next bytes, and how many it may take at most. */
  readonly fd: number;
  readonly roomBytes: number;
  /** Total bytes received, including those that a cap has dropped. */
  readonly receivedBytes: number;
  /** Bytes currently kept. */
  readonly keptBytes: number;
  /** Call after `bytes` were written to `fd`. Throws what node:fs throws if the next file cannot be created. */
  took(bytes: number): void;
  /** Sets the page size, which is unknown until the trace has started. Throws like `took`. */
  havePages?(pageBytes: number): void;
  close(): void;
}

function create(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
}

/** A raw file without a size limit. */
export class WholeFile implements RawFile {
  readonly fd: number;
  readonly roomBytes = Number.MAX_SAFE_INTEGER;
  #bytes = 0;

  /** @param path a file that does not exist yet */
  constructor(path: string) {
    this.fd = create(path);
  }

  get receivedBytes(): number {
    return this.#bytes;
  }

  get keptBytes(): number {
    return this.#bytes;
  }

  took(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Appends a copy of the last bytes of another file. Throws what node:fs throws. */
  appendLast(other: WholeFile, bytes: number): void {
    const last = Buffer.alloc(bytes);
    for (let done = 0; done < bytes; ) {
      const got = readSync(other.fd, last, done, bytes - done, other.#bytes - bytes + done);
      if (got === 0) throw new Error('a raw file is shorter than what was written to it');
      done += got;
    }
    for (let done = 0; done < bytes; ) {
      const put = writeSync(this.fd, last, done, bytes - done, null);
      done += put;
      this.#bytes += put;
    }
  }

  /** Removes the last bytes. Throws what node:fs throws. */
  dropLast(bytes: number): void {
    if (bytes === 0) return;
    ftruncateSync(this.fd, this.#bytes - bytes);
    this.#bytes -= bytes;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** A raw file without a size limit that another process writes: its size tells what was received. */
export class GrowingFile implements RawFile {
  readonly fd: number;
  readonly roomBytes = Number.MAX_SAFE_INTEGER;
  #closedBytes: number | undefined;

  /** @param fd the file, empty at first; `close` closes it */
  constructor(fd: number) {
    this.fd = fd;
  }

  get receivedBytes(): number {
    return this.#closedBytes ?? fstatSync(this.fd).size;
  }

  get keptBytes(): number {
    return this.receivedBytes;
  }

  took(): void {
    // its size has grown
  }

  close(): void {
    this.#closedBytes = this.receivedBytes;
    closeSync(this.fd);
  }
}

/**
 * Keeps the newest pages up to a cap, like `trace-cmd record -m`: two files of half the cap each; when one is full, the
 * other is started again. Each half holds whole pages. Keeps everything until the page size is known.
 */
export class CappedFile implements RawFile {
  readonly #path: string;
  readonly #olderPath: string;
  readonly #capBytes: number;
  #pageBytes: number | undefined;
  #fd: number;
  #bytes = 0;
  #olderBytes = 0;
  #receivedBytes = 0;

  /** @param capBytes rounded up to two pages */
  constructor(path: string, capBytes: number) {
    this.#path = path;
    this.#olderPath = olderPath(path);
    this.#capBytes = capBytes;
    this.#fd = create(path);
  }

  get fd(): number {
    return this.#fd;
  }

  get roomBytes(): number {
    const pageBytes = this.#pageBytes;
    if (pageBytes === undefined) return Number.MAX_SAFE_INTEGER;
    // at least to the end of the page: more than half the cap may have come before the page size was known
    return Math.max(halfOf(this.#capBytes, pageBytes) - this.#bytes, pageBytes - (this.#bytes % pageBytes));
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get keptBytes(): number {
    return this.#bytes + this.#olderBytes;
  }

  havePages(pageBytes: number): void {
    this.#pageBytes = pageBytes;
    this.took(0);
  }

  took(bytes: number): void {
    this.#bytes += bytes;
    this.#receivedBytes += bytes;
    const pageBytes = this.#pageBytes;
    if (pageBytes === undefined || this.#bytes < halfOf(this.#capBytes, pageBytes)) return;
    if (this.#bytes % pageBytes !== 0) return;
    renameSync(this.#path, this.#olderPath);
    // keep the old descriptor until there is a new one: `close` must not close one twice
    const fd = create(this.#path);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#olderBytes = this.#bytes;
    this.#bytes = 0;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function halfOf(capBytes: number, pageBytes: number): number {
  return Math.max(1, Math.floor(capBytes / 2 / pageBytes)) * pageBytes;
}

export function olderPath(path: string): string {
  return `${path}.older`;
}

function joinedPath(path: string): string {
  return `${path}.joined`;
}

/** The files with one CPU's pages, oldest first, also if recording or joining was interrupted. */
export function keptFiles(path: string): readonly string[] {
  const older = olderPath(path);
  if (existsSync(older)) return existsSync(path) ? [older, path] : [older];
  const joined = joinedPath(path);
  return [existsSync(joined) ? joined : path];
}

/** Whether a capped recording left more than one file. */
export function isCut(path: string): boolean {
  return existsSync(olderPath(path)) || existsSync(joinedPath(path));
}

/**
 * Offset of a trace's first page in the kept bytes, if `earlierBytes` of an earlier trace precede it. A cap drops whole
 * pages, counted from the start of all bytes, so the trace's own pages may be misaligned with the cut.
 */
export function firstPageAt(earlierBytes: number, droppedBytes: number, pageBytes: number): number {
  if (droppedBytes <= earlierBytes) return earlierBytes - droppedBytes;
  const over = (droppedBytes - earlierBytes) % pageBytes;
  return over === 0 ? 0 : pageBytes - over;
}

/** Removes the first bytes of a file, atomically, by copying the rest. */
export async function dropFront(path: string, bytes: number): Promise<void> {
  const rest = `${path}.rest`;
  const source = await open(path, 'r');
  try {
    const target = await open(rest, 'w', 0o600);
    try {
      const wanted = Math.max(0, (await source.stat()).size - bytes);
      if ((await new Output(target).appendRange(source, bytes, wanted)) !== wanted)
        throw new RawFileChanged(path);
      await target.sync();
    } finally {
      await target.close();
    }
    renameSync(rest, path);
  } finally {
    await source.close();
  }
}

/**
 * Joins the two files of a capped recording; does nothing if there is only one. May be interrupted anywhere and called
 * again: the joined file is complete once the older half no longer exists.
 */
export async function joinCapped(path: string): Promise<void> {
  const older = olderPath(path);
  const joined = joinedPath(path);
  if (existsSync(older)) {
    if (!existsSync(path)) {
      // interrupted between renaming the full file and creating the new one
      renameSync(older, path);
      return;
    }
    await join(joined, older, path);
    // only now: the joined file is synced and has the size of both
    rmSync(older);
  }
  if (existsSync(joined)) renameSync(joined, path);
}

/** Thrown if a process is writing to a file that is being joined; its data would be lost. */
export class RawFileChanged extends Failure {
  constructor(path: string) {
    super(
      exitCode.failed,
      `${path} changed while it was being read`,
      'convert it after the recording has ended',
    );
  }
}

async function join(joined: string, older: string, newer: string): Promise<void> {
  const ended = unfinishedFile(joined);
  try {
    await copyFile(older, joined, constants.COPYFILE_FICLONE);
    await append(joined, newer);
    const [whole, ...parts] = [joined, older, newer].map((path) => statSync(path).size);
    if (whole !== parts.reduce((sum, bytes) => sum + bytes, 0)) throw new RawFileChanged(newer);
  } catch (cause) {
    rmSync(joined, { force: true });
    throw cause;
  } finally {
    ended();
  }
}

async function append(path: string, from: string): Promise<void> {
  const target = await open(path, 'a');
  const source = await open(from, 'r');
  try {
    for await (const chunk of source.createReadStream({ autoClose: false })) await target.writeFile(chunk);
    await target.sync();
  } finally {
    await source.close();
    await target.close();
  }
}
