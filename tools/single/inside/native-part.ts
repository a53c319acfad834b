import { closeSync, constants as fsConstants, openSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { getAsset } from 'node:sea';
import { codeOf, errorCode } from '../../../src/base/error-code.ts';
import { exitCode, Failure } from '../../../src/base/failure.ts';

export interface NativePart {
  readonly exports: unknown;
  /** Read-only descriptor it was loaded from; workers inherit it and load the same memory again. */
  readonly fd: number;
}

// Linux's O_TMPFILE, missing in Node's constants: an unnamed file, which needs no cleanup. Its own bit is the same
// everywhere; O_DIRECTORY is 0o200000 on x86 and 0o40000 on arm64.
const O_TMPFILE = 0o20000000 | fsConstants.O_DIRECTORY;

let loaded: NativePart | undefined;

/**
 * Loads koffi's native part from this executable. The dynamic linker loads only files, so the native part is written to
 * an unnamed file, which disappears with its last descriptor, even after a crash. The file is in the first directory
 * that accepts it and is not mounted noexec.
 * @throws Failure (missing) if there is no such directory
 */
export function nativePart(): NativePart {
  loaded ??= load();
  return loaded;
}

/** Loads the native part from a descriptor inherited from the supervisor, and closes it. */
export function loadLent(fd: number): void {
  loaded = { exports: open(fd), fd };
  closeSync(fd);
}

function load(): NativePart {
  const tried: string[] = [];
  for (const dir of directories()) {
    let fd: number;
    try {
      fd = unnamedFile(dir);
    } catch (cause) {
      tried.push(`${dir} (${codeOf(cause)})`);
      continue;
    }
    try {
      return { exports: open(fd), fd };
    } catch (cause) {
      closeSync(fd);
      if (errorCode(cause) !== 'ERR_DLOPEN_FAILED') throw cause;
      // the dynamic linker reports no errno, only a text after the path: "failed to map segment from shared object"
      tried.push(`${dir} (${String(cause).split(': ').at(-1)})`);
    }
  }
  throw new Failure(
    exitCode.missing,
    `no directory to load native code from: ${tried.join(', ')}`,
    'make one of them writable and not mounted noexec, or name one in TMPDIR: mount -o remount,exec /dev/shm',
  );
}

/** Memory before disks; directories that are rarely mounted noexec follow those that often are; the program's own last. */
function directories(): string[] {
  const { XDG_RUNTIME_DIR, TMPDIR } = process.env;
  const all = [
    TMPDIR,
    '/dev/shm',
    XDG_RUNTIME_DIR,
    '/run',
    '/dev',
    '/tmp',
    '/var/tmp',
    dirname(process.execPath),
  ];
  return [...new Set(all.flatMap((dir) => (dir === undefined || dir === '' ? [] : [dir])))];
}

/** @returns a read-only descriptor: with a writable one a worker could change its supervisor's code */
function unnamedFile(dir: string): number {
  const writable = openSync(dir, O_TMPFILE | fsConstants.O_RDWR, 0o400);
  try {
    const image = Buffer.from(getAsset('koffi.node'));
    for (let at = 0; at < image.byteLength; ) at += writeSync(writable, image, at);
    return openSync(`/proc/self/fd/${writable}`, fsConstants.O_RDONLY);
  } finally {
    closeSync(writable);
  }
}

function open(fd: number): unknown {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, `/proc/self/fd/${fd}`, constants.dlopen.RTLD_NOW);
  return module.exports;
}
