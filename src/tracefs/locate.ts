import { closeSync, openSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../base/failure.ts';
import { errorCode } from '../base/error-code.ts';
import type { TracefsFault } from './why-no-tracefs.ts';
import { mountRemedy, tracingFacts, whyNoTracefs } from './why-no-tracefs.ts';

/** TRACEFS_MAGIC and DEBUGFS_MAGIC of linux/magic.h. */
const tracefsMagic = 0x74726163;
const debugfsMagic = 0x64626720;

const usualPlaces = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

/**
 * The root of tracefs: `given`, or without it the first of the usual places where tracefs is mounted. Does not block.
 * Throws a Failure that names the cause: `missing` if tracefs is not there, `notPermitted` if this user may not enter
 * it or if the kernel is locked down.
 */
export function locateTracefs(given?: string): string {
  if (given !== undefined) {
    const found = inspect(given);
    if (found === 'tracefs') return given;
    if (found !== 'absent') throw whyNoTracefs(found, given, tracingFacts());
    throw new Failure(exitCode.missing, `tracefs is not at ${given}`, `name another place or ${mountRemedy}`);
  }
  let fault: { readonly kind: TracefsFault; readonly place: string } | undefined;
  for (const place of usualPlaces) {
    const found = inspect(place);
    if (found === 'tracefs') return place;
    if (found !== 'absent') fault ??= { kind: found, place };
  }
  const { kind, place } = fault ?? { kind: 'absent', place: usualPlaces.join(' or ') };
  throw whyNoTracefs(kind, place, tracingFacts());
}

function inspect(place: string): 'tracefs' | TracefsFault {
  let type: number;
  try {
    // statfs triggers the automount that debugfs keeps at /sys/kernel/debug/tracing. Old kernels have the files in
    // debugfs itself: there the content of the directory decides.
    ({ type } = statfsSync(place));
    if (type !== tracefsMagic && type !== debugfsMagic) return 'absent';
    readdirSync(join(place, 'per_cpu'));
  } catch (error) {
    const errno = errorCode(error);
    if (errno === 'EACCES' || errno === 'EPERM') return 'denied';
    // a kernel that was locked down at boot mounts tracefs but leaves it empty
    return errno === 'ENOENT' && isEmptyTracefs(place) ? 'empty' : 'absent';
  }
  return opens(join(place, 'trace_clock')) ? 'tracefs' : 'shut';
}

function isEmptyTracefs(place: string): boolean {
  try {
    return statfsSync(place).type === tracefsMagic;
  } catch {
    return false;
  }
}

/** Whether the file can be opened. A kernel that was locked down later still shows it, but open(2) fails with EPERM. */
function opens(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch (error) {
    const errno = errorCode(error);
    return errno !== 'EPERM' && errno !== 'EACCES';
  }
}
