import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';

/**
 * A directory that belongs to this user and that no other user can swap for another: held by a descriptor, its
 * entries reached through that descriptor, so that what was checked is what is used.
 */
export class OwnedDir {
  /** Absolute, without symbolic links: what others (QEMU) may be told. */
  readonly path: string;
  readonly fd: number;
  /** Whether this call made it. */
  readonly made: boolean;

  private constructor(path: string, fd: number, made: boolean) {
    this.path = path;
    this.fd = fd;
    this.made = made;
  }

  /**
   * Opens a directory. Refuses a symbolic link, what is no directory, another user's, and one that another user
   * could put a different one in place of.
   * @throws Failure (missing, not permitted)
   */
  static open(path: string): OwnedDir {
    return OwnedDir.#open(safePath(path), false);
  }

  /** The same, made with mode 0700 when nothing has that name; its parent must be there. */
  static make(path: string): OwnedDir {
    const real = safePath(path);
    return OwnedDir.#open(real, makeDir(real));
  }

  static #open(path: string, made: boolean): OwnedDir {
    // also without the sticky bit's help: what is opened is what is checked
    const fd = openDir(path);
    const { uid } = fstatSync(fd);
    if (uid === process.geteuid?.()) return new OwnedDir(path, fd, made);
    closeSync(fd);
    throw new Failure(
      exitCode.notPermitted,
      `${printable(path)} belongs to another user (uid ${uid})`,
      'run as that user, or give another --dir',
    );
  }

  stats(): Stats {
    return fstatSync(this.fd);
  }

  /** A path to an entry, or with no name to the directory itself, that goes through the descriptor. */
  entry(name = '.'): string {
    return `/proc/self/fd/${this.fd}/${name}`;
  }

  /** An entry itself, also when it is a symbolic link; undefined when nothing has that name. */
  look(name: string): Stats | undefined {
    return lstatSync(this.entry(name), { throwIfNoEntry: false });
  }

  close(): void {
    closeSync(this.fd);
  }
}

function openDir(path: string): number {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (cause) {
    const shown = printable(path);
    switch (codeOf(cause)) {
      case 'ENOENT':
        throw new Failure(
          exitCode.missing,
          `there is no directory ${shown}`,
          'create it with trace-host setup',
        );
      case 'ENOTDIR':
      case 'ELOOP': {
        const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
        throw new Failure(
          exitCode.notPermitted,
          `${shown} is ${isLink ? 'a symbolic link' : 'not a directory'}`,
          'give another --dir',
        );
      }
      case 'EACCES':
        throw new Failure(
          exitCode.notPermitted,
          `${shown} may not be read by this user`,
          'run as its owner, or give another --dir',
        );
      default:
        throw cause;
    }
  }
}

/** @returns false when something has that name already */
function makeDir(path: string): boolean {
  try {
    mkdirSync(path, 0o700);
    // whatever the umask took away
    chmodSync(path, 0o700);
    return true;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'EEXIST') return false;
    const shown = printable(path);
    if (code === 'EACCES' || code === 'EPERM')
      throw new Failure(
        exitCode.notPermitted,
        `cannot create ${shown}: permission denied`,
        'give another --dir',
      );
    throw new Failure(exitCode.failed, `${shown} cannot be created (${code})`, 'give another --dir', {
      cause,
    });
  }
}

/** The path with every symbolic link above the last name resolved, and every directory above it beyond others' reach. */
function safePath(given: string): string {
  const path = resolve(given);
  const name = basename(path);
  if (name === '')
    throw new Failure(exitCode.usage, 'the root directory cannot be a guest directory', 'give another --dir');
  let parent: string;
  try {
    parent = realpathSync(dirname(path));
  } catch (cause) {
    const message = `${printable(dirname(path))} cannot be reached (${codeOf(cause)})`;
    throw new Failure(exitCode.missing, message, 'make it, or give another --dir', { cause });
  }
  // From the root down: a directory that others cannot change keeps the next one in its place.
  const above =
    parent === '/'
      ? ['/']
      : [
          '/',
          ...parent
            .slice(1)
            .split('/')
            .map((_, depth, names) => `/${names.slice(0, depth + 1).join('/')}`),
        ];
  for (const dir of above) refuseSwappable(dir);
  return join(parent, name);
}

function refuseSwappable(dir: string): void {
  const { uid, gid, mode } = lstatSync(dir);
  const shown = printable(dir);
  if (uid !== 0 && uid !== process.geteuid?.())
    throw new Failure(
      exitCode.notPermitted,
      `${shown} belongs to another user (uid ${uid}), who could replace what is in it`,
      'give a --dir elsewhere',
    );
  const sticky = (mode & 0o1000) !== 0;
  // a group of the user's own number is the user's private one
  const groupWrites = (mode & 0o020) !== 0 && gid !== 0 && gid !== uid;
  const anybodyWrites = (mode & 0o002) !== 0;
  if (!sticky && (groupWrites || anybodyWrites))
    throw new Failure(
      exitCode.notPermitted,
      `other users may write to ${shown} and replace what is in it`,
      `chmod ${anybodyWrites ? 'o' : 'g'}-w ${shown}, or give a --dir elsewhere`,
    );
}
