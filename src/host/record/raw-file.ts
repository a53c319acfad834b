import { closeSync, constants, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';

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
 * is full the other is begun anew. The halves are whole pages, so no page lies in both.
 */
export class CappedFile implements RawFile {
  readonly #path: string;
  readonly #olderPath: string;
  readonly #halfBytes: number;
  #fd: number;
  #bytes = 0;
  #older = false;
  #receivedBytes = 0;

  /** @param capBytes at least two pages, else it is two pages */
  constructor(path: string, capBytes: number, pageBytes: number) {
    this.#path = path;
    this.#olderPath = olderPath(path);
    this.#halfBytes = Math.max(1, Math.floor(capBytes / 2 / pageBytes)) * pageBytes;
    this.#fd = create(path);
  }

  get fd(): number {
    return this.#fd;
  }

  get roomBytes(): number {
    return this.#halfBytes - this.#bytes;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get keptBytes(): number {
    return this.#bytes + (this.#older ? this.#halfBytes : 0);
  }

  took(bytes: number): void {
    this.#bytes += bytes;
    this.#receivedBytes += bytes;
    if (this.#bytes < this.#halfBytes) return;
    renameSync(this.#path, this.#olderPath);
    // the old descriptor stays ours until there is a new one: `close` must not meet a closed one
    const fd = create(this.#path);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#older = true;
    this.#bytes = 0;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function olderPath(path: string): string {
  return `${path}.older`;
}

/** Makes one file of the two that a cap leaves; does nothing where there is only one. */
export async function joinCapped(path: string): Promise<void> {
  const older = olderPath(path);
  if (!existsSync(older)) return;
  if (!existsSync(path)) {
    // ended between the two steps of beginning anew
    renameSync(older, path);
    return;
  }
  const joined = `${path}.joined`;
  try {
    await copyFile(older, joined, constants.COPYFILE_FICLONE);
    await append(joined, path);
  } catch (cause) {
    rmSync(joined, { force: true });
    throw cause;
  }
  renameSync(joined, path);
  rmSync(older);
}

async function append(path: string, from: string): Promise<void> {
  const target = await open(path, 'a');
  const source = await open(from, 'r');
  try {
    for await (const chunk of source.createReadStream({ autoClose: false })) await target.writeFile(chunk);
  } finally {
    await source.close();
    await target.close();
  }
}
