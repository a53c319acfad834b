import { exitCode, Failure } from '../../base/failure.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { guestLabel, guestPath } from '../guest-dir/location.ts';
import { lockGuest } from '../guest-dir/lock.ts';
import { OwnedDir } from '../guest-dir/owned-dir.ts';
import { portOfFile } from '../port-names.ts';
import { cutOffFiles } from '../qemu/guest-trouble.ts';
import type { Target, TargetChanges } from './target/target.ts';

/**
 * Detaches from a running guest the ports whose files were removed from its directory: new files with the same names
 * would not be connected.
 * @returns undefined when there are none
 * @throws Failure (failed) while another process gives orders
 */
export async function releaseCutOff(
  location: GuestLocation,
  target: Target,
): Promise<TargetChanges | undefined> {
  const dir = openDir(location);
  try {
    const files = cutOffFiles(dir?.path ?? guestPath(location))?.files ?? [];
    const names = new Set(files.map((file) => portOfFile(file)?.port ?? ''));
    if (names.size === 0) return undefined;
    const unlock = dir === undefined ? () => {} : lockGuest(dir, guestLabel(location));
    try {
      return await target.release([...names]);
    } finally {
      unlock();
    }
  } finally {
    dir?.close();
  }
}

/** The directory itself may have been removed. */
function openDir(location: GuestLocation): OwnedDir | undefined {
  try {
    return OwnedDir.open(guestPath(location));
  } catch (cause) {
    if (cause instanceof Failure && cause.exitCode === exitCode.missing) return undefined;
    throw cause;
  }
}
