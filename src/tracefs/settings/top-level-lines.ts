import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import type { Applied, RestoreFailure } from './applied.ts';
import { attempt } from './attempt.ts';
import { printkDest } from './settings.ts';
import { Tracefs } from '../tracefs.ts';

const copyMarker = 'options/copy_trace_marker';

/**
 * Copies writes to the top-level trace_marker into this instance as well (kernel 6.16 and later). While an instance
 * with copies has tracing off, the kernel refuses every marker (EBADF, seen on 6.18), also for the top level. So call
 * this when tracing is on; the copying is switched off before tracing stops.
 */
export function copyMarkers(tracefs: Tracefs, applied: Applied): void {
  if (tracefs.instance === undefined || tracefs.readIfThere(copyMarker)?.trim() !== '0') return;
  applied.remember('quiesce', copyMarker, () => tracefs.write(copyMarker, '0'));
  attempt('failed', copyMarker, () => tracefs.write(copyMarker, '1'));
}

/** Switches tracing off in an instance whose settings stay. Returns the files that could not be written. */
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

/** Redirects trace_printk to this instance; only one instance at a time receives it. */
export function takePrintk(tracefs: Tracefs, applied: Applied): void {
  // without the option only the top level receives it; checkPrintk made sure of that
  if (hasPrintk(tracefs) || tracefs.readIfThere(printkDest) === undefined) return;
  const holder = printkHolder(tracefs.root);
  applied.remember('quiesce', printkDest, () => {
    // another instance has taken it since
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
  // back to the top level, even if the old holder is gone; the top level does not accept 0
  if (tracefs.instance !== undefined && hasPrintk(tracefs)) tracefs.write(printkDest, '0');
}

function hasPrintk(tracefs: Tracefs): boolean {
  return tracefs.readIfThere(printkDest)?.trim() === '1';
}

function printkHolder(root: string): Tracefs | undefined {
  const names = readdirSync(join(root, 'instances'));
  return [new Tracefs(root), ...names.map((name) => new Tracefs(root, name))].find(hasPrintk);
}
