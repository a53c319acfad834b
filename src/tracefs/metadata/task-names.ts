import { readFileSync } from 'node:fs';
import { errorCode } from '../../base/error-code.ts';
import type { Tracefs } from '../tracefs.ts';

const file = 'saved_cmdlines_size';
/** The kernel's own limit (PID_MAX_DEFAULT): the kernel finds a saved name by the low 15 bits of the pid. */
const maxNames = 32_768;
/** Memory that the kernel needs for a saved name and its pid. */
const bytesPerName = 16 + 4;
/**
 * The share of the machine's memory that names may take; the kernel rounds up to a power of two, 1 MB for 32,768
 * names.
 */
const namesShare = 0.001;
/**
 * Memory that the kernel needs for the tgid of one pid. It allocates a table for all possible pids, 16 MB with pid_max
 * 4194304, and never frees it.
 */
const bytesPerTgid = 4;
const tgidsShare = 0.01;

/** The maximum pid and the memory size; undefined if not available in /proc. */
export interface Machine {
  readonly pidMax: number | undefined;
  readonly memoryBytes: number | undefined;
}

export function thisMachine(): Machine {
  return {
    pidMax: numberIn('/proc/sys/kernel/pid_max', /^(\d+)/, 1),
    memoryBytes: numberIn('/proc/meminfo', /^MemTotal:\s+(\d+) kB$/m, 1024),
  };
}

function numberIn(path: string, form: RegExp, unit: number): number | undefined {
  try {
    const found = form.exec(readFileSync(path, 'utf8'))?.[1];
    return found === undefined ? undefined : Number(found) * unit;
  } catch (error) {
    if (errorCode(error) !== '') return undefined;
    throw error;
  }
}

/**
 * The number of names to save: one for each pid, but no more than the kernel allows or than fit into a thousandth of
 * the memory. By default the kernel keeps the last 128 (since 6.9 about 6,500), and a report shows `<...>` for older
 * tasks.
 */
export function namesToSave({ pidMax = maxNames, memoryBytes }: Machine): number {
  const fitting = memoryBytes === undefined ? maxNames : (memoryBytes * namesShare) / bytesPerName;
  return Math.floor(Math.min(pidMax, maxNames, fitting));
}

/** Whether a table with every pid's process fits in a hundredth of the memory. */
export function canRecordTgids({ pidMax, memoryBytes }: Machine): boolean {
  if (pidMax === undefined || memoryBytes === undefined) return false;
  return pidMax * bytesPerTgid <= memoryBytes * tgidsShare;
}

/**
 * The number of names that the kernel saves, for all instances together. Raised at most once, before tracing begins,
 * and restored when no more metadata will be requested: whenever a size is written, even a larger one or the same,
 * the kernel forgets all names (seen on 6.1).
 */
export class SavedNames {
  readonly #top: Tracefs;
  #old: string | undefined;
  #raised: string | undefined;

  /** @param top the top level: instances have no names of their own */
  constructor(top: Tracefs) {
    this.#top = top;
  }

  /**
   * Raises the number; never lowers it. Does nothing when it was raised before, or when the kernel has no such file or
   * refuses.
   */
  raise(machine: Machine): void {
    if (this.#old !== undefined) return;
    const wanted = namesToSave(machine);
    this.#unlessRefused(() => {
      const old = this.#top.read(file);
      if (Number(old) >= wanted) return;
      this.#top.write(file, String(wanted));
      this.#old = old;
      this.#raised = this.#top.read(file);
    });
  }

  /** Restores the number, unless another process has changed it since. The kernel forgets the names. */
  putBack(): void {
    const old = this.#old;
    if (old === undefined) return;
    this.#old = undefined;
    this.#unlessRefused(() => {
      if (this.#top.read(file) === this.#raised) this.#top.write(file, old.trim());
    });
  }

  /** Pages are useful without names: EACCES, ENOENT or ENOMEM here must not prevent tracing. */
  #unlessRefused(change: () => void): void {
    try {
      change();
    } catch (error) {
      if (errorCode(error) === '') throw error;
    }
  }
}
