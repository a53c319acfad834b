import { closeSync, constants as fsConstants, openSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { getAsset } from 'node:sea';
import { codeOf, errorCode } from '../../../src/base/error-code.ts';
import { exitCode, Failure } from '../../../src/base/failure.ts';

export interface NativePart {
  readonly exports: unknown;
  /** What it was loaded from, readable only; to be lent to workers, which load the same memory again. */
  readonly fd: number;
}

// Linux's, not among Node's constants: an unnamed file, which nobody has to remove.
const O_TMPFILE = 0o20200000;

let loaded: NativePart | undefined;

/**
 * koffi's native part, out of this executable. The dynamic linker loads files only, so it needs one for a moment: an
 * unnamed one, gone with the last descriptor whatever happens to us, in the first directory that takes it and is not
 * mounted noexec.
 * @throws Failure (missing) when there is none
 */
export function nativePart(): NativePart {
  loaded ??= load();
  return loaded;
}

/** Loads from a descriptor that a supervisor lent, and closes it. */
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
      // The dynamic linker gives no errno, but a text behind the path: "failed to map segment from shared object".
      tried.push(`${dir} (${String(cause).split(': ').at(-1)})`);
    }
  }
  throw new Failure(
    exitCode.missing,
    `no directory to load native code from: ${tried.join(', ')}`,
    'make one of them writable and not mounted noexec, or name one in TMPDIR: mount -o remount,exec /dev/shm',
  );
}

/** Memory before disks, and what is seldom mounted noexec after what often is, down to the program's own directory. */
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

/** @returns a descriptor that cannot write: a worker that could would write into its supervisor's code */
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
