import {
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { errorCode } from '../../base/error-code.ts';

export const usualPortsDir = '/dev/virtio-ports';
const sysfsPorts = '/sys/class/virtio-ports';

/**
 * The device of a named port, or undefined when there is none. Names are unique across virtio-serial devices. udev
 * creates the links below /dev/virtio-ports; a guest without udev still has the names in sysfs.
 */
export function findPort(portsDir: string, name: string): string | undefined {
  const device = targetOf(join(portsDir, name));
  if (device !== undefined) return device;
  return portsDir === usualPortsDir ? findInSysfs(name) : undefined;
}

/** The target of a link. A single call, because unplugging may remove the link between two calls. */
function targetOf(link: string): string | undefined {
  try {
    return realpathSync(link);
  } catch {
    return undefined;
  }
}

function findInSysfs(name: string): string | undefined {
  let devices: string[];
  try {
    devices = readdirSync(sysfsPorts);
  } catch {
    return undefined;
  }
  const device = devices.find((entry) => nameInSysfs(entry) === name);
  return device === undefined ? undefined : join('/dev', device);
}

function nameInSysfs(device: string): string | undefined {
  try {
    return readFileSync(join(sysfsPorts, device, 'name'), 'utf8').trim();
  } catch {
    return undefined; // a port without a name, or one that is just being unplugged
  }
}

/**
 * Thrown when a port cannot be opened now but may be later. `why` stays the same when only the message changes, e.g.
 * because another process holds the port now.
 */
export class PortAway extends Failure {
  readonly why: 'missing' | 'busy' | 'unplugged';

  constructor(why: PortAway['why'], message: string, remedy: string) {
    super(exitCode.missing, message, remedy);
    this.name = 'PortAway';
    this.why = why;
  }
}

/**
 * Opens a port, non-blocking and close-on-exec; the caller owns the descriptor. `out` for a trace port, `both` for the
 * control port. A FIFO may be used instead of a port. As a trace port it is opened read-write, so that, like a port, it
 * never fails with EPIPE. As the control port it is opened read-only: otherwise, the agent would read its own answers.
 * @throws PortAway when it is missing or busy, Failure when it may not be opened
 */
export function openPort(portsDir: string, name: string, direction: 'out' | 'both'): number {
  const path = findPort(portsDir, name);
  if (path === undefined)
    throw new PortAway(
      'missing',
      `no port ${name} in ${portsDir}`,
      `add one to the guest: ${qemuOptions(name)}`,
    );
  try {
    const readOnly = direction === 'both' && statSync(path).isFIFO();
    const access = readOnly ? constants.O_RDONLY : constants.O_RDWR;
    return openSync(path, access | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw whyNotOpened(error, name, path);
  }
}

function whyNotOpened(error: unknown, name: string, path: string): Failure {
  const code = errorCode(error);
  switch (code) {
    case 'EBUSY': {
      const holder = holderOf(path);
      const who = holder === undefined ? 'another process' : `${holder.command} (pid ${holder.pid})`;
      const remedy = holder === undefined ? 'end the process that has it open' : `end it: kill ${holder.pid}`;
      return new PortAway('busy', `port ${name} (${path}) is held by ${who}`, remedy);
    }
    case 'ENODEV':
    case 'ENXIO':
    case 'ENOENT':
      return new PortAway('unplugged', `port ${name} (${path}) is being unplugged`, 'plug it in again');
    case 'EACCES':
    case 'EPERM':
      return new Failure(
        exitCode.notPermitted,
        `cannot open port ${name} (${path}): permission denied`,
        'run as root',
      );
    default:
      return new Failure(exitCode.failed, `cannot open port ${name} (${path}): ${code}`, '', {
        cause: error,
      });
  }
}

/** A process that has a port open. */
export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

/** The process that has a device open, as far as /proc shows. */
function holderOf(path: string): PortHolder | undefined {
  return portHolders([path]).get(path)?.[0];
}

/** Which processes have the devices open, as far as /proc shows; one pass over all processes. */
export function portHolders(paths: readonly string[]): Map<string, PortHolder[]> {
  const found = new Map<string, PortHolder[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const targets = readdirSync(join('/proc', entry, 'fd')).map((fd) =>
        linkTarget(join('/proc', entry, 'fd', fd)),
      );
      for (const path of paths) {
        if (!targets.includes(path)) continue;
        const command = readFileSync(join('/proc', entry, 'comm'), 'utf8').trim();
        found.set(path, [...(found.get(path) ?? []), { pid: Number(entry), command }]);
      }
    } catch {
      // the process has exited meanwhile, or this user may not inspect it
    }
  }
  return found;
}

function linkTarget(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** The QEMU options that add a port of this name. */
export function qemuOptions(name: string): string {
  return (
    `-device virtio-serial-pci -chardev pipe,id=${name},path=/var/lib/virtio-trace/${name} ` +
    `-device virtserialport,chardev=${name},name=${name}`
  );
}
