import { readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { guestLabel, guestPath } from '../guest-dir/location.ts';
import { lockGuest } from '../guest-dir/lock.ts';
import { OwnedDir } from '../guest-dir/owned-dir.ts';
import { portOfFile } from '../port-names.ts';
import { isOwnName, isPortFile } from './prepare.ts';
import { refuseRunning } from './running.ts';

export interface Removed {
  readonly files: readonly string[];
  /** Whether the directory was removed too. */
  readonly directory: boolean;
  /** Files that do not belong to trace-host and were kept. */
  readonly left: readonly string[];
}

/**
 * Removes what setup created; the directory only if nothing else is in it. Returns undefined if there is no directory.
 * @throws Failure (failed) while the guest has the ports, or another process gives orders
 */
export async function removeGuest(location: GuestLocation): Promise<Removed | undefined> {
  let dir: OwnedDir;
  try {
    dir = OwnedDir.open(guestPath(location));
  } catch (cause) {
    if (cause instanceof Failure && cause.exitCode === exitCode.missing) return undefined;
    throw cause;
  }
  try {
    const unlock = lockGuest(dir, guestLabel(location));
    try {
      await refuseRunning(location);
      return removeFrom(dir);
    } finally {
      unlock();
    }
  } finally {
    dir.close();
  }
}

function removeFrom(dir: OwnedDir): Removed {
  const files: string[] = [];
  const left: string[] = [];
  for (const name of readdirSync(dir.entry())) {
    const isPort = portOfFile(name) !== undefined;
    const ours = isPort ? isPortFile(dir, name) : isOwnName(name) && dir.look(name)?.isFile() === true;
    if (ours) unlinkSync(dir.entry(name));
    (ours ? files : left).push(name);
  }
  if (left.length === 0) rmdirSync(dir.path);
  return { files, directory: left.length === 0, left };
}

/** Lists at most three names, for a message. */
export function someOf(names: readonly string[]): string {
  const shown = names
    .slice(0, 3)
    .map((name) => quoted(name))
    .join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
