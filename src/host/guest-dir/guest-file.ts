import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { maxCpus } from '../../base/cpu-list.ts';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import { printable } from '../../base/quoted.ts';
import { keptBit } from './keep.ts';
import type { OwnedDir } from './owned-dir.ts';
import type { Chardev, Transport } from '../port-names.ts';
import { chardevs } from '../port-names.ts';

export const guestFileName = 'guest.json';
export const newFileName = 'guest.json.new';
const maxFileBytes = 64 * 1024;

/** The settings of a guest that `trace-host setup` has stored. */
export interface GuestFile {
  readonly format: 1;
  /** Ports of CPUs 0 to `cpus` - 1. */
  readonly cpus: number;
  readonly chardev: Chardev;
  /** The transport of the guest's virtio-serial devices; absent for PCI. */
  readonly transport?: Exclude<Transport, 'pci'>;
  /** The group through which QEMU has access to the directory; absent if QEMU runs as the directory's owner. */
  readonly group?: string;
}

/** Reads guest.json; undefined when there is none. @throws Failure (failed) when its content is not valid */
export function readGuestFile(dir: OwnedDir): GuestFile | undefined {
  let fd: number;
  try {
    fd = openSync(dir.entry(guestFileName), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw spoilt(dir, codeOf(cause), cause);
  }
  try {
    if (!fstatSync(fd).isFile()) throw spoilt(dir, 'not a file');
    const buffer = Buffer.alloc(maxFileBytes);
    const bytes = readSync(fd, buffer);
    let value: unknown;
    try {
      value = JSON.parse(buffer.toString('utf8', 0, bytes));
    } catch (cause) {
      throw spoilt(dir, 'not JSON', cause);
    }
    return parseGuestFile(value) ?? throwSpoilt(dir);
  } finally {
    closeSync(fd);
  }
}

/** Replaces guest.json atomically. */
export function writeGuestFile(dir: OwnedDir, file: GuestFile): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const path = dir.entry(newFileName);
  // left by a run that was killed; only this user can create files in the directory
  if (dir.look(newFileName) !== undefined) unlinkSync(path);
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    fchmodSync(fd, 0o600 | keptBit);
    writeFileSync(fd, `${JSON.stringify(file, undefined, 2)}\n`);
  } finally {
    closeSync(fd);
  }
  renameSync(path, dir.entry(guestFileName));
}

function parseGuestFile(value: unknown): GuestFile | undefined {
  if (!isObject(value) || value['format'] !== 1) return undefined;
  const { cpus, group, transport } = value;
  const chardev = chardevs.find((known) => known === value['chardev']);
  if (chardev === undefined) return undefined;
  if (typeof cpus !== 'number' || !Number.isInteger(cpus) || cpus < 1 || cpus > maxCpus) return undefined;
  if (group !== undefined && typeof group !== 'string') return undefined;
  if (transport !== undefined && transport !== 'mmio' && transport !== 'ccw') return undefined;
  return {
    format: 1,
    cpus,
    chardev,
    ...(transport === undefined ? {} : { transport }),
    ...(group === undefined ? {} : { group }),
  };
}

function throwSpoilt(dir: OwnedDir): never {
  throw spoilt(dir, 'its content is not valid');
}

function spoilt(dir: OwnedDir, why: string, cause?: unknown): Failure {
  const message = `cannot use ${printable(dir.path)}/${guestFileName}: ${why}`;
  return new Failure(exitCode.failed, message, 'remove it and run trace-host setup again', { cause });
}
