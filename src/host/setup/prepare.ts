import {
  chmodSync,
  chownSync,
  existsSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  readdirSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { makeFifo } from '../../native/io/fifo.ts';
import { lookUpGroup } from '../../native/process/group.ts';
import { printable, quoted } from '../../base/quoted.ts';
import { guestFileName, newFileName, readGuestFile, writeGuestFile } from '../guest-dir/guest-file.ts';
import type { GuestFile } from '../guest-dir/guest-file.ts';
import { defaultDir, type GuestLocation, guestLabel, guestPath, holdingDir } from '../guest-dir/location.ts';
import { keptBit } from '../guest-dir/keep.ts';
import { lockFileName, lockGuest } from '../guest-dir/lock.ts';
import { OwnedDir } from '../guest-dir/owned-dir.ts';
import { guestMarks, portNames, portOfFile } from '../port-names.ts';
import type { Changes } from './changes.ts';
import { noChanges } from './changes.ts';
import type { SetupOptions } from './options.ts';
import { portPath } from './placement.ts';
import { refuseRunning } from './running.ts';

/** A guest's directory after setup. */
export interface PreparedGuest {
  readonly path: string;
  readonly file: GuestFile;
  readonly changes: Changes;
}

/** The size of the kernel's sun_path, less the terminating NUL. */
const maxSocketPathBytes = 107;

/**
 * Makes a guest's directory and FIFOs and writes guest.json; keeps what is right, fixes what is wrong, and leaves other
 * files alone. Options not given are taken from guest.json.
 * @param defaultCpus called if neither the options nor guest.json give the number of CPUs
 * @throws Failure
 */
export async function prepareGuest(
  options: SetupOptions,
  defaultCpus: () => Promise<number>,
): Promise<PreparedGuest> {
  const { location } = options;
  const path = guestPath(location);
  if (/\p{Cc}/u.test(path))
    throw new Failure(exitCode.usage, `${printable(path)} contains control characters`, 'give another --dir');
  if (path.startsWith(defaultDir)) mkdirSync(dirname(defaultDir), { recursive: true, mode: 0o700 });
  if (location.guest !== undefined) prepareParent(holdingDir(location), options.group !== undefined);
  const dir = OwnedDir.make(path);
  try {
    const before = readEarlier(dir);
    const group = options.group ?? before?.group;
    const transport = options.transport ?? before?.transport ?? 'pci';
    const file: GuestFile = {
      format: 1,
      cpus: options.cpus ?? before?.cpus ?? (await defaultCpus()),
      chardev: options.chardev ?? before?.chardev ?? 'pipe',
      ...(transport === 'pci' ? {} : { transport }),
      ...(group === undefined ? {} : { group }),
    };
    const changes = noChanges();
    if (dir.made) changes.made.push('.');
    refuseLongSockets(dir, file);
    const gid = group === undefined ? undefined : groupNumber(group);
    fixDirectory(dir, gid, changes);
    await removeStale(dir, file, location, changes);
    if (file.chardev === 'pipe') {
      for (const name of fifoNames(file)) prepareFifo(dir, name, gid, changes);
    }
    if (JSON.stringify(before) !== JSON.stringify(file)) {
      (before === undefined ? changes.made : changes.mended).push(guestFileName);
      writeGuestFile(dir, file);
    }
    return { path: dir.path, file, changes };
  } catch (cause) {
    throw cannotWrite(dir, cause);
  } finally {
    dir.close();
  }
}

/** The error of a file system that is full, read-only, or does not support FIFOs. */
function cannotWrite(dir: OwnedDir, cause: unknown): unknown {
  const code = errnoOf(cause);
  if (code === '') return cause;
  const message = `cannot write to ${printable(dir.path)}: ${code}`;
  return new Failure(exitCode.failed, message, 'free space there, or give another --dir', { cause });
}

function fifoNames({ cpus }: Pick<GuestFile, 'cpus'>): string[] {
  return portNames(cpus).flatMap((name) => [`${name}.in`, `${name}.out`]);
}

/** For DIR/NAME: lets QEMU's user pass through DIR to its guest's directory. */
function prepareParent(path: string, forGroup: boolean): void {
  const dir = OwnedDir.make(path);
  try {
    const mode = dir.stats().mode & 0o7777;
    const wanted = (mode & ~0o066) | 0o700 | (forGroup ? 0o011 : 0);
    if (mode !== wanted) {
      refuseForeign(dir);
      fchmodSync(dir.fd, wanted);
    }
  } finally {
    dir.close();
  }
}

/** An invalid guest.json is replaced, as long as it is a regular file. */
function readEarlier(dir: OwnedDir): GuestFile | undefined {
  try {
    return readGuestFile(dir);
  } catch (cause) {
    if (cause instanceof Failure && dir.look(guestFileName)?.isFile() === true) return undefined;
    throw cause;
  }
}

function groupNumber(group: string): number {
  const gid = /^\d{1,9}$/.test(group) ? Number(group) : lookUpGroup(group);
  if (gid !== undefined) return gid;
  throw new Failure(exitCode.usage, `--group: no such group: ${quoted(group)}`, 'see getent group');
}

function refuseLongSockets(dir: OwnedDir, { cpus, chardev }: GuestFile): void {
  if (chardev === 'pipe') return;
  for (const name of portNames(cpus)) {
    const path = portPath(dir.path, name, chardev);
    if (Buffer.byteLength(path) <= maxSocketPathBytes) continue;
    throw new Failure(
      exitCode.usage,
      `${printable(path)} is longer than a socket's path may be (${maxSocketPathBytes} bytes)`,
      'give a shorter --dir, or --chardev pipe',
    );
  }
}

function fixDirectory(dir: OwnedDir, gid: number | undefined, changes: Changes): void {
  const wanted = gid === undefined ? 0o700 : 0o710;
  const stats = dir.stats();
  if ((stats.mode & 0o7777) === wanted && (gid === undefined || stats.gid === gid)) return;
  refuseForeign(dir);
  if (gid !== undefined && stats.gid !== gid) giveToGroup(() => fchownSync(dir.fd, stats.uid, gid), gid);
  fchmodSync(dir.fd, wanted);
  if (!dir.made) changes.mended.push('.');
}

/** Do not restrict access to a directory with other files in it: --dir may be a mistake, such as /home. */
function refuseForeign(dir: OwnedDir): void {
  const foreign = readdirSync(dir.entry()).find((name) => !isOwnName(name) && !isGuest(dir, name));
  if (foreign === undefined) return;
  throw new Failure(
    exitCode.failed,
    `${printable(dir.path)} is open to other users and contains files that are not trace-host's, such as ${quoted(foreign)}`,
    `give a --dir of its own, or chmod 700 ${printable(dir.path)}`,
  );
}

/** A named guest's directory, created by setup or manually. */
function isGuest(dir: OwnedDir, name: string): boolean {
  return guestMarks.some((mark) => existsSync(dir.entry(join(name, mark))));
}

export function isOwnName(name: string): boolean {
  return [guestFileName, newFileName, lockFileName].includes(name) || portOfFile(name) !== undefined;
}

/** FIFOs and sockets of ports that the guest no longer has. */
async function removeStale(
  dir: OwnedDir,
  file: GuestFile,
  location: GuestLocation,
  changes: Changes,
): Promise<void> {
  const wanted = new Set(portNames(file.cpus));
  const stale = readdirSync(dir.entry()).filter((name) => {
    const found = portOfFile(name);
    if (found === undefined || (wanted.has(found.port) && found.chardev === file.chardev)) return false;
    return isPortFile(dir, name);
  });
  if (stale.length === 0) return;
  const unlock = lockGuest(dir, guestLabel(location));
  try {
    await refuseRunning(location);
    for (const name of stale) unlinkSync(dir.entry(name));
  } finally {
    unlock();
  }
  changes.removed.push(...stale);
}

/** Whether a file with a port's name is of the kind that setup creates. */
export function isPortFile(dir: OwnedDir, name: string): boolean {
  const stats = dir.look(name);
  return stats !== undefined && (stats.isFIFO() || stats.isSocket());
}

function prepareFifo(dir: OwnedDir, name: string, gid: number | undefined, changes: Changes): void {
  const wanted = (gid === undefined ? 0o600 : 0o660) | keptBit;
  const path = dir.entry(name);
  const found = dir.look(name);
  if (found === undefined) {
    makeFifo(path, 0o600);
    changes.made.push(name);
  } else if (!found.isFIFO()) {
    const message = `${printable(dir.path)}/${name} is in the way: it is not a FIFO`;
    throw new Failure(exitCode.failed, message, `check what it is, then rm ${printable(dir.path)}/${name}`);
  } else if (found.uid !== process.geteuid?.()) {
    // libvirt, as root, changes its owner to QEMU's user while the guest runs
    return;
  } else if ((found.mode & 0o7777) === wanted && (gid === undefined || found.gid === gid)) {
    return;
  } else {
    changes.mended.push(name);
  }
  // only this user can replace the file
  if (gid !== undefined) giveToGroup(() => chownSync(path, process.geteuid?.() ?? -1, gid), gid);
  chmodSync(path, wanted);
}

function giveToGroup(give: () => void, gid: number): void {
  try {
    give();
  } catch (cause) {
    const message = `cannot change the group of files to ${gid}: permission denied`;
    throw new Failure(exitCode.notPermitted, message, 'run as root, or as a member of the group', { cause });
  }
}
