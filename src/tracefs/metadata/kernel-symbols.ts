import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorCode } from '../../base/error-code.ts';

/** 0 or 1: addresses are for those with CAP_SYSLOG; 2: for nobody. */
export const kptrRestrictFile = '/proc/sys/kernel/kptr_restrict';

/** Of kallsyms at a turn of the event loop, some 2 ms. */
const sliceBytes = 64 << 10;

/**
 * Function symbols only (types t, T, w, W): half of the whole, and a report needs no others. Undefined when there
 * are none to be read, or the addresses stay hidden: all zero, every function the same.
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
 * The kernel gives kallsyms in pieces of a page at most: a read stream would go through the thread pool for each
 * of 1,500 of them, at ten times the cost.
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
 * The kernel decides at the opening whether this descriptor is to see addresses. Where they are hidden from everybody they
 * are shown for the length of one open(2), to those with CAP_SYSLOG only. No signal handler runs between, and nothing is
 * waited for: only SIGKILL can leave it so.
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

/** The value to put back; undefined when there is nothing to lower. */
function hiddenFromAll(kptrRestrict: string): string | undefined {
  try {
    const text = readFileSync(kptrRestrict, 'latin1').trim();
    return Number(text) > 1 ? text : undefined;
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return undefined;
  }
}

/** Not where /proc/sys is read-only, as in containers and for services, or without CAP_SYS_ADMIN. */
function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return false;
  }
}
