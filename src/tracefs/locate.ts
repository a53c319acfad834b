import { readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../failure.ts';
import { errorCode } from '../error-code.ts';

/** TRACEFS_MAGIC and DEBUGFS_MAGIC of linux/magic.h. */
const tracefsMagic = 0x74726163;
const debugfsMagic = 0x64626720;

const usualPlaces = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];
const mountRemedy = 'mount it: mount -t tracefs nodev /sys/kernel/tracing';

/**
 * The root of tracefs: `given` when it is one, else the first of the usual places that is. Does not block.
 * Throws a Failure: `missing` when there is none, `notPermitted` when there is one that this user may not enter.
 */
export function locateTracefs(given?: string): string {
  if (given !== undefined) {
    const found = inspect(given);
    if (found === 'tracefs') return given;
    if (found === 'denied') throw denied(given);
    throw new Failure(exitCode.missing, `no tracefs at ${given}`, `name another place or ${mountRemedy}`);
  }
  let deniedPlace: string | undefined;
  for (const place of usualPlaces) {
    const found = inspect(place);
    if (found === 'tracefs') return place;
    if (found === 'denied') deniedPlace ??= place;
  }
  if (deniedPlace !== undefined) throw denied(deniedPlace);
  throw new Failure(exitCode.missing, `tracefs is not mounted at ${usualPlaces.join(' or ')}`, mountRemedy);
}

function inspect(place: string): 'tracefs' | 'denied' | 'absent' {
  try {
    // statfs triggers the automount that debugfs keeps at /sys/kernel/debug/tracing. Kernels that have the files
    // in debugfs itself are told by what is in the directory.
    const { type } = statfsSync(place);
    if (type !== tracefsMagic && type !== debugfsMagic) return 'absent';
    readdirSync(join(place, 'per_cpu'));
    return 'tracefs';
  } catch (error) {
    const errno = errorCode(error);
    return errno === 'EACCES' || errno === 'EPERM' ? 'denied' : 'absent';
  }
}

function denied(place: string): Failure {
  return new Failure(exitCode.notPermitted, `${place} may not be read by this user`, 'run as root');
}
