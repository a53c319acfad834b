/** The names of the ports on both sides, the same as those of the kernel tree's C agent. */
export const controlPortName = 'agent-ctl-path';

export function tracePortName(cpu: number): string {
  return `trace-path-cpu${cpu}`;
}

/** A guest's ports, the control port first. */
export function portNames(cpus: number): string[] {
  return [controlPortName, ...Array.from({ length: cpus }, (_, cpu) => tracePortName(cpu))];
}

/** The CPU of a trace port, undefined for any other name. */
export function cpuOfPort(name: string): number | undefined {
  const digits = /^trace-path-cpu(0|[1-9]\d{0,3})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * The kinds of host end that a port can have: `pipe`, the FIFOs NAME.in (to the guest) and NAME.out (from it);
 * `socket`, a UNIX socket NAME.socket that takes one client at a time.
 */
export const chardevs = ['pipe', 'socket'] as const;
export type Chardev = (typeof chardevs)[number];

/**
 * The transports by which the guest finds its virtio-serial devices: `mmio` on machines without PCI such as
 * microvm, `ccw` on s390x.
 */
export const transports = ['pci', 'mmio', 'ccw'] as const;
export type Transport = (typeof transports)[number];
/** Whether the host opens this file of a port. Of a trace port's two FIFOs, it opens only the one that it reads. */
export function hostOpens(file: string): boolean {
  const port = portOfFile(file)?.port;
  return port !== undefined && (port === controlPortName || !file.endsWith('.in'));
}

/**
 * Files that show that a directory is a guest's: the one that setup writes last, or one that even a manually created
 * guest has.
 */
export const guestMarks = ['guest.json', `${controlPortName}.in`, `${controlPortName}.socket`] as const;

/** The port that a file in a guest's directory belongs to; undefined when it belongs to none. */
export function portOfFile(file: string): { readonly port: string; readonly chardev: Chardev } | undefined {
  const [, port = '', suffix] = /^(.*)\.(in|out|socket)$/.exec(file) ?? [];
  if (port !== controlPortName && cpuOfPort(port) === undefined) return undefined;
  return { port, chardev: suffix === 'socket' ? 'socket' : 'pipe' };
}
