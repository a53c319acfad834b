import { chmodSync, readdirSync } from 'node:fs';
import { errorCode } from '../../base/error-code.ts';
import { lockFileName } from './lock.ts';
import type { OwnedDir } from './owned-dir.ts';
import { guestMarks, portOfFile } from '../port-names.ts';

/**
 * The sticky bit, which the kernel ignores on FIFOs and files. systemd-tmpfiles keeps such files whatever their age.
 * Without the bit, it would remove the FIFOs of a guest that has not been traced for a long time, as nothing writes to
 * them; without their names, QEMU cannot be reached.
 */
export const keptBit = 0o1000;

/**
 * Marks files that an earlier version made or that were created manually, if this user owns them or is root. Does not
 * throw.
 */
export function keepFromCleaners(dir: OwnedDir): void {
  for (const name of unkeptFiles(dir)) {
    const stats = dir.look(name);
    const uid = process.geteuid?.();
    if (stats === undefined || (uid !== 0 && stats.uid !== uid)) continue;
    try {
      chmodSync(dir.entry(name), (stats.mode & 0o7777) | keptBit);
    } catch (error) {
      if (errorCode(error) === '') throw error;
    }
  }
}

/** Files of the guest that are not marked. Sockets need no mark: systemd-tmpfiles keeps bound ones. */
export function unkeptFiles(dir: OwnedDir): string[] {
  return readdirSync(dir.entry()).filter((name) => {
    if (portOfFile(name) === undefined && !ownFiles.includes(name)) return false;
    const stats = dir.look(name);
    return stats !== undefined && (stats.isFIFO() || stats.isFile()) && (stats.mode & keptBit) === 0;
  });
}

/** Files to keep in addition to the ports' own. Without the lock file, two hosts could give orders at once. */
const ownFiles: readonly string[] = [...guestMarks, lockFileName];
