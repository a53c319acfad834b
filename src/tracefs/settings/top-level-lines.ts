import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import type { Applied, RestoreFailure } from './applied.ts';
import { attempt } from './attempt.ts';
import { printkDest } from './settings.ts';
import { Tracefs } from '../tracefs.ts';

const copyMarker = 'options/copy_trace_marker';

/**
 * Has what programs write to the top-level trace_marker in this instance too, and there as before; kernels before 6.16
 * cannot. While an instance that takes copies is off, the kernel refuses every marker (EBADF, seen on 6.18), and the top
 * level has none either: so to be called when tracing is on, and it ends before that does.
 */
export function copyMarkers(tracefs: Tracefs, applied: Applied): void {
  if (tracefs.instance === undefined || tracefs.readIfThere(copyMarker)?.trim() !== '0') return;
  applied.remember('quiesce', copyMarker, () => tracefs.write(copyMarker, '0'));
  attempt('failed', copyMarker, () => tracefs.write(copyMarker, '1'));
}

/** Switches an instance off whose settings stay as they are. Returns what did not take it. */
export function leaveOff(tracefs: Tracefs): RestoreFailure[] {
  const copies = tracefs.instance !== undefined && tracefs.readIfThere(copyMarker)?.trim() === '1';
  return [...(copies ? [copyMarker] : []), 'tracing_on'].flatMap((file) => {
    try {
      tracefs.write(file, '0');
      return [];
    } catch (error) {
      const errno = errorCode(error);
      if (errno === '') throw error;
      return [{ file, errno }];
    }
  });
}

/** Has the kernel's trace_printk in this instance in place of the one that has it: there is one at a time. */
export function takePrintk(tracefs: Tracefs, applied: Applied): void {
  // without the option it is the top level's alone, as checkPrintk knows
  if (hasPrintk(tracefs) || tracefs.readIfThere(printkDest) === undefined) return;
  const holder = printkHolder(tracefs.root);
  applied.remember('quiesce', printkDest, () => {
    // somebody else has taken it since
    if (!hasPrintk(tracefs)) return;
    giveBack(tracefs, holder);
  });
  attempt('failed', printkDest, () => tracefs.write(printkDest, '1'));
}

function giveBack(tracefs: Tracefs, holder: Tracefs | undefined): void {
  try {
    if (holder?.instance !== undefined) holder.write(printkDest, '1');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  // to the top level, also when the holder is gone; the top level takes no 0
  if (tracefs.instance !== undefined && hasPrintk(tracefs)) tracefs.write(printkDest, '0');
}

function hasPrintk(tracefs: Tracefs): boolean {
  return tracefs.readIfThere(printkDest)?.trim() === '1';
}

function printkHolder(root: string): Tracefs | undefined {
  const names = readdirSync(join(root, 'instances'));
  return [new Tracefs(root), ...names.map((name) => new Tracefs(root, name))].find(hasPrintk);
}
