import {
  accessSync,
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
import { dirname, join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
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
import { checkReplaceable } from '../file/write-replacing.ts';
import { tryLock } from '../../native/io/file-lock.ts';
import { CappedFile, dropFront, isCut, joinCapped, type RawFile, WholeFile } from './raw-file.ts';

/** The directory that a recording is while it runs: whatever happens, `trace-host convert` makes a file of it. */
export class RecordingDir {
  readonly path: string;
  readonly #inode: number;
  #unlock: (() => void) | undefined;

  /** Finds out, before a guest is asked for anything, whether a recording can be made there. @throws Failure */
  static check(out: string): void {
    const path = pathOf(out);
    try {
      if (!statSync(dirname(out)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
      accessSync(dirname(out), constants.W_OK | constants.X_OK);
      checkReplaceable(out);
    } catch (error) {
      throw error instanceof Failure ? error : cannotMake(path, out, error);
    }
    if (existsSync(path)) throw isThere(path, out);
  }

  /** Makes it, beside the file that it will become. @throws Failure when there is one already, or it cannot be made */
  constructor(out: string) {
    this.path = pathOf(out);
    try {
      mkdirSync(this.path, { mode: 0o700 });
      this.#inode = lstatSync(this.path).ino;
    } catch (error) {
      throw cannotMake(this.path, out, error);
    }
    this.#unlock = lockRecording(this.path);
  }

  /** Says that nothing is collected any more. May be called again. */
  unlock(): void {
    this.#unlock?.();
    this.#unlock = undefined;
  }

  /** The file for a CPU's pages. @param capBytes of what is kept; undefined: everything */
  rawFile(cpu: number, capBytes: number | undefined): RawFile {
    const path = join(this.path, rawFile(cpu));
    try {
      return capBytes === undefined ? new WholeFile(path) : new CappedFile(path, capBytes);
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
  }

  /** Takes what came of an earlier trace out of a CPU's file. @throws Failure */
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

  writeRecording(recording: Recording): void {
    this.#replace(recordingFile, formatRecording(recording));
  }

  /** Removes it with what a recording puts there; not what somebody else did, nor a directory that took its place. */
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

  /** Never half a file, not even when killed: renamed when it is whole. */
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
  lockFile,
]);

/** `.new` is of what was being replaced; the others are of a cap. */
function isOwnName(name: string): boolean {
  return ownFiles.has(name.replace(/\.new$/, '')) || /^cpu\d+\.raw(?:\.older|\.joined|\.rest)?$/.test(name);
}

/**
 * Takes a recording's directory for this process, which collects into it or rearranges what is there. The kernel gives the
 * lock back when the process ends, however it ends.
 * @returns gives it back
 * @throws Failure when another process has it; never waits
 */
function lockRecording(dir: string): () => void {
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
    `${dir} is being recorded into, with a cap that takes the oldest pages away`,
    'convert it when the recording has ended',
  );
}

/** Makes one file each of what a cap has left of CPUs in two, in a recording's directory. @throws Failure */
export async function joinAllCapped(dir: string, cpus: readonly number[]): Promise<void> {
  const paths = cpus.map((cpu) => join(dir, rawFile(cpu))).filter(isCut);
  if (paths.length === 0) return;
  // one that records would go on writing into files that are gone
  const unlock = lockRecording(dir);
  try {
    for (const path of paths) await joinCapped(path);
  } catch (error) {
    throw error instanceof Failure ? error : cannotWrite(dir, error);
  } finally {
    unlock();
  }
}

function pathOf(out: string): string {
  return `${out}.recording`;
}

function cannotWrite(dir: string, cause: unknown): unknown {
  const code = errorCode(cause);
  switch (code) {
    case '':
      return cause;
    case 'ENOENT':
      return new Failure(exitCode.failed, `${dir} is gone: somebody removed it or a part of it`, '', {
        cause,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure(exitCode.failed, `${dir} cannot be written: its disk is full`, 'make room', {
        cause,
      });
    default:
      return new Failure(exitCode.failed, `${dir} cannot be written: ${code}`, '', { cause });
  }
}

function isThere(path: string, out: string): Failure {
  return new Failure(
    exitCode.failed,
    `${path} is there already: a recording that runs, or one that was not finished`,
    `make a file of it with trace-host convert ${path} -o ${out}, or remove it`,
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
        `${out}: there is no directory ${dirname(out)}`,
        'make it, or name another file with -o',
      );
    case 'EACCES':
    case 'EROFS':
      return new Failure(exitCode.notPermitted, `${path} may not be made`, 'name another file with -o');
    default:
      return new Failure(exitCode.failed, `${path} cannot be made: ${code}`, '', { cause });
  }
}
