import { closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import type { GuestWords } from '../qemu/guest-trouble.ts';
import { cutOff } from '../qemu/guest-trouble.ts';
import { readGuestFile } from './guest-file.ts';
import type { GuestLocation } from './location.ts';
import { keepFromCleaners, unkeptFiles } from './keep.ts';
import { guestLabel, guestOptions, guestPath } from './location.ts';
import { guestLockHolder, lockGuest } from './lock.ts';
import { OwnedDir } from './owned-dir.ts';
import type { Chardev } from '../port-names.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { controlPortName, cpuOfPort, portOfFile, tracePortName } from '../port-names.ts';

/** A guest's directory as the host uses it: the host ends of its ports, and the lock for giving orders. */
export class GuestDir implements TracedMachine {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** The guest's name; undefined for the guest in the directory itself. */
  readonly guest: string | undefined;
  /** The guest's name in messages. */
  readonly label: string;
  /** The options that select the guest in another trace-host command, with a leading blank. */
  readonly options: string;
  readonly chardev: Chardev;
  /** CPUs that have a trace port, ascending. */
  readonly cpus: readonly number[];
  readonly control = undefined;
  readonly #dir: OwnedDir;

  readonly #isBrief: boolean;

  private constructor(location: GuestLocation, dir: OwnedDir, ports: FoundPorts, isBrief: boolean) {
    this.#isBrief = isBrief;
    this.path = dir.path;
    this.guest = location.guest;
    this.label = guestLabel(location);
    this.options = guestOptions(location);
    this.chardev = ports.chardev;
    this.cpus = ports.cpus;
    this.#dir = dir;
  }

  /**
   * Opens a directory made by `trace-host setup`, or created manually with mkfifo. The caller closes it.
   * @param isBrief whether it will be locked for a few seconds only; other processes then wait
   * @throws Failure (missing, not permitted)
   */
  static open(location: GuestLocation, isBrief = false): GuestDir {
    const dir = openOwned(location);
    try {
      return new GuestDir(location, dir, findPorts(dir, location), isBrief);
    } catch (cause) {
      dir.close();
      throw cause;
    }
  }

  /**
   * Locks the control port for this process, and marks the files so that systemd-tmpfiles keeps them. @returns
   * releases the lock. @throws Failure (failed) when another process holds the lock
   */
  lock(): () => void {
    const unlock = lockGuest(this.#dir, this.label, this.#isBrief);
    keepFromCleaners(this.#dir);
    return unlock;
  }

  /** The process id of another process that uses the control port; undefined if none does. Does not block. */
  lockedBy(): number | undefined {
    return guestLockHolder(this.#dir);
  }

  /** Files that systemd-tmpfiles may remove because of their age. */
  unkept(): readonly string[] {
    return unkeptFiles(this.#dir);
  }

  /**
   * Opens one end of a port's FIFO pair, non-blocking, and never waits for QEMU. The caller owns the descriptor.
   * @param end `in`: to write to the guest; `out`: to read from it
   * @throws Failure (missing) when the FIFO does not exist, or, for `in`, when no QEMU has it open
   */
  openFifo(port: string, end: 'in' | 'out'): number {
    const name = `${port}.${end}`;
    const access = end === 'in' ? constants.O_WRONLY : constants.O_RDONLY;
    let fd: number;
    try {
      fd = openSync(this.#dir.entry(name), access | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    } catch (cause) {
      throw this.#cannotOpen(name, cause);
    }
    if (fstatSync(fd).isFIFO()) return fd;
    closeSync(fd);
    const message = `${printable(this.path)}/${name} is not a FIFO`;
    throw new Failure(exitCode.missing, message, `remove it and run trace-host setup${this.options}`);
  }

  /**
   * Path of a port's UNIX socket, through the directory's descriptor. It is short even if the directory's path is long:
   * the kernel allows 107 bytes.
   */
  socketPath(port: string): string {
    return this.#dir.entry(`${port}.socket`);
  }

  /** The error when no QEMU has a port's other end open. */
  nobody(file: string, cause?: unknown): Failure {
    const lost = cutOff(this);
    if (lost !== undefined) return lost;
    return new Failure(
      exitCode.missing,
      `${this.label} is not running: no QEMU has ${printable(this.path)}/${file} open`,
      `start QEMU with the options that trace-host setup${this.options} prints`,
      { cause },
    );
  }

  close(): void {
    this.#dir.close();
  }

  #cannotOpen(name: string, cause: unknown): Failure {
    const path = `${printable(this.path)}/${name}`;
    const code = codeOf(cause);
    switch (code) {
      case 'ENXIO':
        return this.nobody(name, cause);
      case 'ENOENT':
        return (
          cutOff(this) ??
          new Failure(exitCode.missing, `${path} does not exist`, `run trace-host setup${this.options}`)
        );
      case 'EACCES':
        return new Failure(
          exitCode.notPermitted,
          `cannot open ${path}: permission denied`,
          'run as its owner',
        );
      default:
        return new Failure(exitCode.failed, `cannot open ${path}: ${code}`, '', { cause });
    }
  }
}

interface FoundPorts {
  readonly chardev: Chardev;
  readonly cpus: readonly number[];
}

function findPorts(dir: OwnedDir, location: GuestLocation): FoundPorts {
  const file = readGuestFile(dir);
  if (file !== undefined)
    return { chardev: file.chardev, cpus: Array.from({ length: file.cpus }, (_, cpu) => cpu) };
  // without guest.json (a directory created manually), the existing files show which ports there are
  const files = readdirSync(dir.entry());
  const control = files.map(portOfFile).find((found) => found?.port === controlPortName);
  if (control === undefined)
    throw (
      cutOff(wordsOf(location, dir.path)) ??
      new Failure(
        exitCode.missing,
        `${printable(dir.path)} has no control port file`,
        `run trace-host setup${guestOptions(location)}`,
      )
    );
  const suffix = control.chardev === 'pipe' ? 'out' : 'socket';
  const cpus = files
    .map((name) => portOfFile(name)?.port ?? '')
    .map(cpuOfPort)
    .filter((cpu) => cpu !== undefined)
    .filter(
      (cpu, index, all) => all.indexOf(cpu) === index && files.includes(`${tracePortName(cpu)}.${suffix}`),
    )
    .sort((a, b) => a - b);
  return { chardev: control.chardev, cpus };
}

/** Opens the directory. If it does not exist, the error's remedy is to run setup with the same options. */
function openOwned(location: GuestLocation): OwnedDir {
  try {
    return OwnedDir.open(guestPath(location));
  } catch (cause) {
    if (!(cause instanceof Failure) || cause.exitCode !== exitCode.missing) throw cause;
    const lost = cutOff(wordsOf(location, guestPath(location)));
    if (lost !== undefined) throw lost;
    const remedy = `create it with trace-host setup${guestOptions(location)}`;
    throw new Failure(exitCode.missing, cause.message, remedy, { cause });
  }
}

function wordsOf(location: GuestLocation, path: string): GuestWords {
  return { path, label: guestLabel(location), options: guestOptions(location) };
}
