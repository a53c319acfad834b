import { chmodSync, readdirSync } from 'node:fs';
import { errorCode } from '../../error-code.ts';
import type { OwnedDir } from './owned-dir.ts';
import { guestMarks, portOfFile } from './port-names.ts';

/**
 * The sticky bit, which means nothing to the kernel on a FIFO or file. systemd-tmpfiles takes it for "keep me", however
 * old; nothing writes to the FIFOs of a guest that is not traced, and their names are all that leads to its QEMU.
 */
export const keptBit = 0o1000;

/** Marks what an earlier version or a hand with mkfifo made, as far as it is this user's. Throws nothing. */
export function keepFromCleaners(dir: OwnedDir): void {
  for (const name of readdirSync(dir.entry())) {
    if (portOfFile(name) === undefined && !guestMarks.some((mark) => mark === name)) continue;
    const stats = dir.look(name);
    if (stats === undefined || (stats.mode & keptBit) !== 0 || stats.uid !== process.geteuid?.()) continue;
    if (!stats.isFIFO() && !stats.isFile()) continue;
    try {
      chmodSync(dir.entry(name), (stats.mode & 0o7777) | keptBit);
    } catch (error) {
      if (errorCode(error) === '') throw error;
    }
  }
}
