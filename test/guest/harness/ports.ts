import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from './tool.ts';

/**
 * A port of the guest and its host end: `pipe`, a FIFO pair NAME.in (to the guest) and NAME.out (from it);
 * `socket`, a UNIX socket NAME.socket that accepts one client at a time.
 */
export interface PortSpec {
  readonly name: string;
  readonly chardev: 'pipe' | 'socket';
}

export interface TracePortOptions {
  /** Port name with one `%d` for the CPU; default `trace-path-cpu%d`. */
  readonly name?: string;
  /** Name of the control port, `false` for none; default `agent-ctl-path`. */
  readonly control?: string | false;
  /** CPUs that get no port. */
  readonly without?: readonly number[];
  /** Chardev of the trace ports; default `pipe`. */
  readonly chardev?: PortSpec['chardev'];
  /** Chardev of the control port; default `pipe`. */
  readonly controlChardev?: PortSpec['chardev'];
}

/** The ports for a guest of `cpus` CPUs, the control port first. */
export function tracePorts(cpus: number, options: TracePortOptions = {}): PortSpec[] {
  const { name = 'trace-path-cpu%d', control = 'agent-ctl-path', without = [] } = options;
  const ports: PortSpec[] = [];
  if (control !== false) ports.push({ name: control, chardev: options.controlChardev ?? 'pipe' });
  for (let cpu = 0; cpu < cpus; cpu++) {
    if (without.includes(cpu)) continue;
    ports.push({ name: name.replace('%d', String(cpu)), chardev: options.chardev ?? 'pipe' });
  }
  return ports;
}

/** Location of a port on its host and in QEMU. */
export interface PlacedPort extends PortSpec {
  /** QEMU's id of the port's device; unused again after the port was unplugged. */
  readonly device: string;
  readonly chardevId: string;
  /** QEMU's id of the virtio-serial device that carries it, with the `.0` of its bus. */
  readonly bus: string;
  /** Number on its bus, from 1: slot 0 is reserved for a console. */
  readonly nr: number;
  /** `pipe`: the two FIFOs are `path`.in and `path`.out; `socket`: the socket itself. */
  readonly path: string;
}

/** With 16 pipe-backed ports on one virtio-serial device one of them is never connected to the host. */
export const portsPerDevice = 15;

/** Spreads ports over as many virtio-serial devices as are needed, their host ends in `dir`. */
export function placePorts(
  specs: readonly PortSpec[],
  dir: string,
  perDevice = portsPerDevice,
): PlacedPort[] {
  return specs.map((spec, index) => ({
    ...spec,
    device: `port${index}`,
    chardevId: `chardev${index}`,
    bus: `serial${Math.floor(index / perDevice)}.0`,
    nr: (index % perDevice) + 1,
    path: join(dir, spec.chardev === 'pipe' ? spec.name : `${spec.name}.socket`),
  }));
}

/** Makes the FIFO pairs that do not exist yet, as `mkfifo` does. */
export function makeFifos(ports: readonly PlacedPort[]): void {
  const paths = ports
    .filter((port) => port.chardev === 'pipe')
    .flatMap(({ path }) => [`${path}.in`, `${path}.out`]);
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length > 0) tool('mkfifo', missing);
}

/** QEMU's options for the ports and the devices that carry them. */
export function portArguments(ports: readonly PlacedPort[]): string[] {
  const args: string[] = [];
  for (const bus of new Set(ports.map((port) => port.bus))) {
    args.push('-device', `virtio-serial-pci,id=${bus.replace('.0', '')}`);
  }
  for (const port of ports) {
    const how = port.chardev === 'pipe' ? 'pipe' : 'socket,server=on,wait=off';
    args.push('-chardev', `${how},id=${port.chardevId},path=${port.path}`);
    const { driver, ...rest } = portDevice(port);
    args.push(
      '-device',
      `${driver},${Object.entries(rest)
        .map(([key, value]) => `${key}=${value}`)
        .join(',')}`,
    );
  }
  return args;
}

/** The port's device, as options of QEMU's command line and as arguments of its `device_add`. */
export function portDevice(port: PlacedPort) {
  const { device, bus, nr, chardevId, name } = port;
  return { driver: 'virtserialport', id: device, bus, nr, chardev: chardevId, name };
}
