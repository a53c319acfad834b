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
 * A directory that belongs to this user and that no other user can replace. It is held open, and its entries are
 * opened through that descriptor, so that the checked directory is the one used.
 */
export class OwnedDir {
  /** Absolute, without symbolic links, so that it can be passed to QEMU. */
  readonly path: string;
  readonly fd: number;
  /** Whether this call created it. */
  readonly made: boolean;

  private constructor(path: string, fd: number, made: boolean) {
    this.path = path;
    this.fd = fd;
    this.made = made;
  }

  /**
   * Opens a directory. Refuses a symbolic link, anything but a directory, another user's directory, and one that
   * another user could replace.
   * @throws Failure (missing, not permitted)
   */
  static open(path: string): OwnedDir {
    return OwnedDir.#open(safePath(path), false);
  }

  /** Like `open`, but creates the directory with mode 0700 if it does not exist; its parent must exist. */
  static make(path: string): OwnedDir {
    const real = safePath(path);
    return OwnedDir.#open(real, makeDir(real));
  }

  static #open(path: string, made: boolean): OwnedDir {
    // check the opened directory itself, and do not rely on the sticky bit
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

  /** A path through the descriptor to an entry, or without a name to the directory itself. */
  entry(name = '.'): string {
    return `/proc/self/fd/${this.fd}/${name}`;
  }

  /** lstat of an entry; undefined when it does not exist. */
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
          `directory ${shown} does not exist`,
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
          `cannot read ${shown}: permission denied`,
          'run as its owner, or give another --dir',
        );
      default:
        throw cause;
    }
  }
}

/** @returns false when the name already exists */
function makeDir(path: string): boolean {
  try {
    mkdirSync(path, 0o700);
    // undo the effect of the umask
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
    throw new Failure(exitCode.failed, `cannot create ${shown}: ${code}`, 'give another --dir', {
      cause,
    });
  }
}

/** Resolves every symbolic link above the last name, and checks that no other user can change a directory above it. */
function safePath(given: string): string {
  const path = resolve(given);
  const name = basename(path);
  if (name === '')
    throw new Failure(exitCode.usage, 'the root directory cannot be a guest directory', 'give another --dir');
  let parent: string;
  try {
    parent = realpathSync(dirname(path));
  } catch (cause) {
    const message = `cannot access ${printable(dirname(path))}: ${codeOf(cause)}`;
    throw new Failure(exitCode.missing, message, 'create it, or give another --dir', { cause });
  }
  // From the root down: if others cannot change a directory, nobody can replace the directory below it.
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
      `${shown} belongs to another user (uid ${uid}), who could replace its contents`,
      'give a --dir elsewhere',
    );
  const sticky = (mode & 0o1000) !== 0;
  // a group with the user's own number is the user's private group
  const groupWrites = (mode & 0o020) !== 0 && gid !== 0 && gid !== uid;
  const anybodyWrites = (mode & 0o002) !== 0;
  if (!sticky && (groupWrites || anybodyWrites))
    throw new Failure(
      exitCode.notPermitted,
      `other users may write to ${shown} and replace its contents`,
      `chmod ${anybodyWrites ? 'o' : 'g'}-w ${shown}, or give a --dir elsewhere`,
    );
}
