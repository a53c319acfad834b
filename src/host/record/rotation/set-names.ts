import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { errorCode } from '../../../base/error-code.ts';
import { Failure } from '../../../base/failure.ts';
import {
  lockRecording,
  outOfRecording,
  recordingDirOf,
  removeRecordingFiles,
} from '../../../trace/recording/recording-dir.ts';

/** With so many digits, the names of a million sets sort in the order of the sets. */
const digits = 6;

/**
 * The name of a machine's file in a set: the number comes before the machine's name, so that the files of a set have names
 * of one recording (`s.000007.dat`, `s.000007-web.dat`), and sort next to one another.
 * @param base the file without the name of a machine, e.g. `s.dat`
 * @param out the machine's file without a number: `base` itself, or e.g. `s-web.dat`
 */
export function setFile(base: string, out: string, set: number): string {
  const number = String(set).padStart(digits, '0');
  const extension = extname(base);
  // without an extension, the number takes its place
  if (extension === '') return `${out}.${number}`;
  const stem = basename(base, extension);
  return join(dirname(out), `${stem}.${number}${basename(out).slice(stem.length)}`);
}

/** The number in a name that `setFile` has made; undefined for any other name. */
function setOf(base: string, out: string, name: string): number | undefined {
  const [, digitsOfName] = /\.(\d{6,15})(?=[.-]|$)/.exec(name.slice(stemLength(base, out))) ?? [];
  if (digitsOfName === undefined) return undefined;
  const set = Number(digitsOfName);
  return basename(setFile(base, out, set)) === name ? set : undefined;
}

function stemLength(base: string, out: string): number {
  return extname(base) === '' ? basename(out).length : basename(base, extname(base)).length;
}

/** The sets of one name in a directory: those of this recording, and of earlier ones. */
export class SetNames {
  readonly #base: string;
  readonly #outs: readonly string[];

  /** @param outs the files of all machines without a number, in one directory */
  constructor(base: string, outs: readonly string[]) {
    this.#base = base;
    this.#outs = outs;
  }

  /** The number after the last one that a file or directory has. Throws what node:fs throws. */
  next(): number {
    return Math.max(0, ...this.#names().map(({ set }) => set)) + 1;
  }

  /** Directories of recordings that were not finished, without a file. Throws what node:fs throws. */
  unfinished(): readonly string[] {
    const names = this.#names();
    const files = new Set(names.filter(({ isFile }) => isFile).map(({ path }) => path));
    return names
      .filter(({ isFile, path }) => !isFile && !files.has(outOfRecording(path) ?? ''))
      .map(({ path }) => path);
  }

  /**
   * Deletes the files of all sets but the newest up to `last`, of which `keep` stay, with what is left of their
   * recordings. Leaves a recording without a file alone, and one that is in use.
   * @returns the deleted files
   */
  deleteOld(last: number, keep: number): readonly string[] {
    const files = this.#names().filter(({ isFile, set }) => isFile && set <= last);
    const sets = [...new Set(files.map(({ set }) => set))].sort((a, b) => b - a);
    const old = new Set(sets.slice(Math.max(1, keep)));
    const deleted = files.filter(({ set }) => old.has(set)).map(({ path }) => path);
    for (const path of deleted) {
      removeRecording(recordingDirOf(path));
      rmSync(path, { force: true });
    }
    return deleted;
  }

  #names(): readonly { readonly set: number; readonly path: string; readonly isFile: boolean }[] {
    const dir = dirname(this.#base);
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
      const file = entry.isDirectory() ? outOfRecording(entry.name) : entry.name;
      if (file === undefined || !(entry.isFile() || entry.isDirectory())) return [];
      for (const out of this.#outs) {
        const set = setOf(this.#base, out, file);
        if (set !== undefined) return [{ set, path: join(dir, entry.name), isFile: entry.isFile() }];
      }
      return [];
    });
  }
}

/** The note about a directory that `unfinished` names. */
export function notFinished(dir: string): string {
  const out = outOfRecording(dir) ?? dir;
  const what = `${dir} is a recording that was not finished`;
  const remedy = `convert it: trace-host convert ${dir} -o ${out}`;
  return `${what} — ${remedy}`;
}

function removeRecording(dir: string): void {
  if (lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  let unlock: () => void;
  try {
    unlock = lockRecording(dir);
  } catch (cause) {
    if (cause instanceof Failure || errorCode(cause) !== '') return;
    throw cause;
  }
  try {
    removeRecordingFiles(dir);
  } finally {
    unlock();
  }
}
