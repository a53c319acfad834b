import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import {
  alignmentFile,
  type ClockPing,
  formatAlignment,
  formatPing,
  pingsFile,
  type RecordedAlignment,
} from './clock-files.ts';
import {
  formatRecording,
  instanceFile,
  lockFile,
  metadataFile,
  namesFile,
  rawFile,
  type Recording,
  recordingFile,
} from './recording-format.ts';
import { checkReplaceable, writeReplacing } from '../file/write-replacing.ts';
import { tryLock } from '../../native/io/file-lock.ts';
import { CappedFile, dropFront, isCut, joinCapped, type RawFile, WholeFile } from './raw-file.ts';

/** The directory of a running recording. Whatever happens, `trace-host convert` can convert it. */
export class RecordingDir {
  readonly path: string;
  readonly #inode: number;
  #unlock: (() => void) | undefined;

  /**
   * Checks whether a recording for `out` can be created; meant to be called before contacting a guest. @throws Failure
   */
  static check(out: string): void {
    const path = recordingDirOf(out);
    try {
      if (!statSync(dirname(out)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
      accessSync(dirname(out), constants.W_OK | constants.X_OK);
      checkReplaceable(out);
    } catch (error) {
      throw error instanceof Failure ? error : cannotMake(path, out, error);
    }
    if (existsSync(path)) throw isThere(path, out);
  }

  /** Creates and locks the directory, next to the output file. @throws Failure if it exists or cannot be created */
  constructor(out: string) {
    this.path = recordingDirOf(out);
    try {
      mkdirSync(this.path, { mode: 0o700 });
      this.#inode = lstatSync(this.path).ino;
    } catch (error) {
      throw cannotMake(this.path, out, error);
    }
    this.#unlock = lockRecording(this.path);
  }

  /** Unlocks the directory: no more data arrives. May be called again. */
  unlock(): void {
    this.#unlock?.();
    this.#unlock = undefined;
  }

  /** Creates the file for a CPU's pages. @param capBytes limit for the kept bytes; undefined for none */
  rawFile(cpu: number, capBytes: number | undefined): RawFile {
    const path = join(this.path, rawFile(cpu));
    try {
      return capBytes === undefined ? new WholeFile(path) : new CappedFile(path, capBytes);
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
  }

  /** Removes the bytes of an earlier trace from the start of a CPU's file. @throws Failure */
  async dropFront(cpu: number, bytes: number): Promise<void> {
    try {
      await dropFront(join(this.path, rawFile(cpu)), bytes);
    } catch (error) {
      throw error instanceof Failure ? error : cannotWrite(this.path, error);
    }
  }

  writeMetadata(packed: Uint8Array): void {
    this.#replace(metadataFile, packed);
  }

  writeInstance(packed: Uint8Array): void {
    this.#replace(instanceFile, packed);
  }

  writeNames(packed: Uint8Array): void {
    this.#replace(namesFile, packed);
  }

  /** Adds readings of the clocks. @throws Failure */
  addPings(pings: readonly ClockPing[]): void {
    try {
      appendFileSync(join(this.path, pingsFile), pings.map(formatPing).join(''), { mode: 0o600 });
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
  }

  writeAlignment(alignment: RecordedAlignment): void {
    this.#replace(alignmentFile, formatAlignment(alignment));
  }

  writeRecording(recording: Recording): void {
    this.#replace(recordingFile, formatRecording(recording));
  }

  /** Removes the directory and a recording's files; not other files, nor a directory that replaced this one. */
  remove(): void {
    this.unlock();
    if (lstatSync(this.path, { throwIfNoEntry: false })?.ino !== this.#inode) return;
    for (const name of readdirSync(this.path))
      if (isOwnName(name)) rmSync(join(this.path, name), { force: true });
    try {
      rmdirSync(this.path);
    } catch (error) {
      if (errorCode(error) !== 'ENOTEMPTY') throw error;
    }
  }

  /** Writes a file atomically: renames it once it is complete. */
  #replace(name: string, content: string | Uint8Array): void {
    const path = join(this.path, name);
    try {
      writeFileSync(`${path}.new`, content, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      rmSync(`${path}.new`, { force: true });
      throw cannotWrite(this.path, error);
    }
  }
}

const ownFiles: ReadonlySet<string> = new Set([
  metadataFile,
  instanceFile,
  namesFile,
  recordingFile,
  pingsFile,
  alignmentFile,
  lockFile,
]);

/**
 * Whether a file belongs to a recording. `.new` is a file being replaced; the other suffixes come from a cap or
 * from `dropFront`.
 */
function isOwnName(name: string): boolean {
  return ownFiles.has(name.replace(/\.new$/, '')) || /^cpu\d+\.raw(?:\.older|\.joined|\.rest)?$/.test(name);
}

/**
 * Locks a recording directory for this process, which records into it, joins its files or aligns its clock. The kernel releases the lock
 * when the process ends, however it ends.
 * @returns a function that releases the lock
 * @throws Failure if another process holds it; never waits
 */
export function lockRecording(dir: string): () => void {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(join(dir, lockFile), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (error) {
    throw cannotWrite(dir, error);
  }
  if (tryLock(fd)) return () => closeSync(fd);
  closeSync(fd);
  throw new Failure(
    exitCode.failed,
    `${dir} is in use by another process, such as a recording that is not finished`,
    'wait until that has ended',
  );
}

/** Joins the two files of each CPU in the directory of a capped recording. @throws Failure */
export async function joinAllCapped(dir: string, cpus: readonly number[]): Promise<void> {
  const paths = cpus.map((cpu) => join(dir, rawFile(cpu))).filter(isCut);
  if (paths.length === 0) return;
  // a running recorder would keep writing to removed files
  const unlock = lockRecording(dir);
  try {
    for (const path of paths) await joinCapped(path);
  } catch (error) {
    throw error instanceof Failure ? error : cannotWrite(dir, error);
  } finally {
    unlock();
  }
}

const dirSuffix = '.recording';

/** The directory in which a recording is kept until its trace.dat is complete. */
export function recordingDirOf(out: string): string {
  return `${out}${dirSuffix}`;
}

/** The trace.dat that a directory is the recording of; undefined if its name does not tell. */
export function outOfRecording(dir: string): string | undefined {
  const path = dir.replace(/\/+$/, '');
  return path.endsWith(dirSuffix) ? path.slice(0, -dirSuffix.length) : undefined;
}

/** Replaces the alignment of a recording, atomically. Lock the recording first. Throws Failure. */
export async function replaceAlignment(dir: string, alignment: RecordedAlignment): Promise<void> {
  const write = async (file: FileHandle): Promise<void> => {
    await file.chmod(0o600);
    await file.writeFile(formatAlignment(alignment));
  };
  await writeReplacing(join(dir, alignmentFile), write, { elsewhere: 'align a copy of it elsewhere' });
}

function cannotWrite(dir: string, cause: unknown): unknown {
  const code = errorCode(cause);
  switch (code) {
    case '':
      return cause;
    case 'ENOENT':
      return new Failure(exitCode.failed, `${dir}, or a file in it, was removed`, '', {
        cause,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure(exitCode.failed, `cannot write to ${dir}: its disk is full`, 'free some space', {
        cause,
      });
    default:
      return new Failure(exitCode.failed, `cannot write to ${dir}: ${code}`, '', { cause });
  }
}

function isThere(path: string, out: string): Failure {
  return new Failure(
    exitCode.failed,
    `${path} already exists: a recording that is still running or was never finished`,
    `convert it with trace-host convert ${path} -o ${out}, or remove it`,
  );
}

function cannotMake(path: string, out: string, cause: unknown): Failure {
  const code = errorCode(cause);
  switch (code) {
    case 'EEXIST':
      return isThere(path, out);
    case 'ENOENT':
    case 'ENOTDIR':
      return new Failure(
        exitCode.missing,
        `${out}: no such directory: ${dirname(out)}`,
        'create it, or specify another file with -o',
      );
    case 'EACCES':
    case 'EROFS':
      return new Failure(
        exitCode.notPermitted,
        `cannot create ${path}: ${code === 'EROFS' ? 'read-only file system' : 'permission denied'}`,
        'specify another file with -o',
      );
    default:
      return new Failure(exitCode.failed, `cannot create ${path}: ${code}`, '', { cause });
  }
}
