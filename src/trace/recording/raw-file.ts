import { closeSync, constants, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import { exitCode, Failure } from '../../base/failure.ts';
import { Output } from '../file/output.ts';
import { unfinishedFile } from '../file/unfinished-files.ts';

/** Pages of one CPU on their way into a file, as they come, whole or cut anywhere. */
export interface RawFile {
  /** Where the next bytes go, and at most how many. */
  readonly fd: number;
  readonly roomBytes: number;
  /** Bytes that came in all, those that a cap has dropped again included. */
  readonly receivedBytes: number;
  /** Bytes that are kept. */
  readonly keptBytes: number;
  /** Tells that `bytes` were put into `fd`. Throws what node:fs throws when the next file cannot be begun. */
  took(bytes: number): void;
  /** Tells one that drops pages their size, which nobody knows before the trace has begun. Throws as `took`. */
  havePages?(pageBytes: number): void;
  close(): void;
}

function create(path: string): number {
  return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
}

/** Keeps everything. */
export class WholeFile implements RawFile {
  readonly fd: number;
  readonly roomBytes = Number.MAX_SAFE_INTEGER;
  #bytes = 0;

  /** @param path of a file that is not there yet */
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

  close(): void {
    closeSync(this.fd);
  }
}

/**
 * Keeps the newest pages up to a cap, as `trace-cmd record -m` does: two files of half the cap, and whenever the one
 * is full the other is begun anew. The halves are whole pages, so no page lies in both; until their size is known,
 * everything is kept.
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

  /** @param capBytes at least two pages, else it is two pages */
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
    // at least to the end of the page: more than half had come before its size was known
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
    // the old descriptor stays ours until there is a new one: `close` must not meet a closed one
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

function olderPath(path: string): string {
  return `${path}.older`;
}

function joinedPath(path: string): string {
  return `${path}.joined`;
}

/** What there is of one CPU's pages, the older first, wherever recording and joining were ended. */
export function keptFiles(path: string): readonly string[] {
  const older = olderPath(path);
  if (existsSync(older)) return existsSync(path) ? [older, path] : [older];
  const joined = joinedPath(path);
  return [existsSync(joined) ? joined : path];
}

/** Whether a cap has left more than the one file. */
export function isCut(path: string): boolean {
  return existsSync(olderPath(path)) || existsSync(joinedPath(path));
}

/**
 * Where in what is kept the first page of a trace begins, when `earlierBytes` of another one came before it: what a cap has
 * dropped was cut between pages of the earlier ones' count.
 */
export function firstPageAt(earlierBytes: number, droppedBytes: number, pageBytes: number): number {
  if (droppedBytes <= earlierBytes) return earlierBytes - droppedBytes;
  const over = (droppedBytes - earlierBytes) % pageBytes;
  return over === 0 ? 0 : pageBytes - over;
}

/** Takes the first bytes out of a file; it is the old one or the new one whenever that is ended. Takes a copy's time. */
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
 * Makes one file of the two that a cap leaves; does nothing where there is only one. May be ended anywhere and called
 * again: as long as the older half is there, what was joined is not whole; without it, it is.
 */
export async function joinCapped(path: string): Promise<void> {
  const older = olderPath(path);
  const joined = joinedPath(path);
  if (existsSync(older)) {
    if (!existsSync(path)) {
      // ended between the two steps of beginning anew
      renameSync(older, path);
      return;
    }
    await join(joined, older, path);
    // on disk, and as long as both: only then
    rmSync(older);
  }
  if (existsSync(joined)) renameSync(joined, path);
}

/** Something writes to what is being joined: it would be lost. */
export class RawFileChanged extends Failure {
  constructor(path: string) {
    super(
      exitCode.failed,
      `${path} changed while it was read`,
      'convert when nothing records into it any more',
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
