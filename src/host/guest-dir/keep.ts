import { chmodSync, readdirSync } from 'node:fs';
import { errorCode } from '../../base/error-code.ts';
import { lockFileName } from './lock.ts';
import type { OwnedDir } from './owned-dir.ts';
import { guestMarks, portOfFile } from '../port-names.ts';

/**
 * The sticky bit, which means nothing to the kernel on a FIFO or file. systemd-tmpfiles takes it for "keep me", however
 * old; nothing writes to the FIFOs of a guest that is not traced, and their names are all that leads to its QEMU.
 */
export const keptBit = 0o1000;

/** Marks what an earlier version or a hand with mkfifo made, as far as it is this user's, or anybody's for root. Throws nothing. */
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

/** Files of the guest that are not marked. Sockets need no mark: those that are bound are left alone. */
export function unkeptFiles(dir: OwnedDir): string[] {
  return readdirSync(dir.entry()).filter((name) => {
    if (portOfFile(name) === undefined && !ownFiles.includes(name)) return false;
    const stats = dir.look(name);
    return stats !== undefined && (stats.isFIFO() || stats.isFile()) && (stats.mode & keptBit) === 0;
  });
}

/** Without its lock, two hosts could give orders at once. */
const ownFiles: readonly string[] = [...guestMarks, lockFileName];
