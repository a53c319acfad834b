import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorCode } from '../../base/error-code.ts';

/**
 * The file's value controls who sees addresses in kallsyms: with 0 or 1, readers with CAP_SYSLOG; with 2, nobody.
 */
export const kptrRestrictFile = '/proc/sys/kernel/kptr_restrict';

/** Bytes of kallsyms read in one turn of the event loop, about 2 ms. */
const sliceBytes = 64 << 10;

/**
 * Reads only the function symbols (types t, T, w, W): they are half of the file, and a report needs no others.
 * Undefined when they cannot be read, or the addresses are hidden (all zero).
 */
export async function readTextSymbols(path: string): Promise<Buffer | undefined> {
  const kept: string[] = [];
  let addressSeen = false;
  let rest = '';
  try {
    for await (const slice of readInSlices(path)) {
      const text = rest + slice;
      const end = text.lastIndexOf('\n') + 1;
      rest = text.slice(end);
      const symbols = text.slice(0, end).match(/^[0-9a-f]+ [tTwW] .*\n/gm) ?? [];
      addressSeen ||= symbols.some((line) => !/^0+ /.test(line));
      kept.push(symbols.join(''));
    }
  } catch (error) {
    if (errorCode(error) !== '') return undefined;
    throw error;
  }
  return addressSeen ? Buffer.from(kept.join(''), 'latin1') : undefined;
}

/**
 * Reads the file synchronously, one slice in each turn of the event loop. The kernel returns at most a page of kallsyms
 * per read: a read stream would use the thread pool for each of the 1,500 reads, at ten times the cost.
 */
async function* readInSlices(path: string): AsyncGenerator<string> {
  const slice = Buffer.alloc(sliceBytes);
  const fd = openShown(() => openSync(path, constants.O_RDONLY), kptrRestrictFile);
  try {
    for (;;) {
      let filled = 0;
      let got: number;
      do {
        got = readSync(fd, slice, filled, slice.length - filled, null);
        filled += got;
      } while (got > 0 && filled < slice.length);
      if (filled === 0) return;
      yield slice.toString('latin1', 0, filled);
      await nextTurn();
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * The kernel decides at open(2) whether this descriptor shows addresses. Where kptr_restrict hides them from everybody,
 * it is lowered for the duration of one open(2), so that processes with CAP_SYSLOG see them. Meanwhile no signal
 * handler runs and nothing waits: only SIGKILL could leave the value lowered.
 */
export function openShown(open: () => number, kptrRestrict: string): number {
  const old = hiddenFromAll(kptrRestrict);
  if (old === undefined || !tryWrite(kptrRestrict, '1')) return open();
  try {
    return open();
  } finally {
    writeFileSync(kptrRestrict, old);
  }
}

/** The value to restore afterwards; undefined if addresses are not hidden from everybody. */
function hiddenFromAll(kptrRestrict: string): string | undefined {
  try {
    const text = readFileSync(kptrRestrict, 'latin1').trim();
    return Number(text) > 1 ? text : undefined;
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return undefined;
  }
}

/** Returns false where /proc/sys is read-only, as in containers and services, or without CAP_SYS_ADMIN. */
function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return false;
  }
}
