import { exitCode, Failure } from '../../../base/failure.ts';
import { QmpConnection, QmpRefusal } from '../../qmp/connection.ts';
import type { QemuPort } from '../../qmp/machine.ts';
import { countCpus, freeRootPorts, listChardevs, listPorts, listSerials } from '../../qmp/machine.ts';
import { findRoom } from './free-slots.ts';
import type { PlacedPort, SerialDevice } from '../placement.ts';
import { isPortId, placePorts } from '../placement.ts';
import type { Transport } from '../../port-names.ts';
import { controlPortName, cpuOfPort } from '../../port-names.ts';
import type { PreparedGuest } from '../prepare.ts';
import { portProperties, serialProperties } from '../qemu-options.ts';
import type { Target, TargetChanges } from './target.ts';

/** Connects to a running QEMU through its QMP socket. @throws Failure (missing, not permitted) */
export async function openQmpTarget(socket: string): Promise<Target> {
  const qmp = await QmpConnection.open(socket);
  return {
    cpus: () => asFailure(countCpus(qmp)),
    dropLeftovers: () => asFailure(dropLeftovers(qmp)),
    release: (names) => asFailure(takeOut(qmp, ({ name }) => names.includes(name))),
    attach: (guest) => asFailure(attach(qmp, guest)),
    detach: () => asFailure(detach(qmp)),
    close: () => qmp.close(),
  };
}

async function asFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof QmpRefusal)) throw cause;
    throw new Failure(exitCode.failed, cause.message, 'fix that, then run the same command again', { cause });
  }
}

async function dropLeftovers(qmp: QmpConnection): Promise<void> {
  const used = new Set((await listPorts(qmp)).map(({ chardev }) => chardev));
  for (const id of await listChardevs(qmp))
    if (isPortId(id) && !used.has(id)) await qmp.execute('chardev-remove', { id });
}

async function attach(qmp: QmpConnection, { path, file }: PreparedGuest): Promise<TargetChanges> {
  const there = await listPorts(qmp);
  const wanted = placePorts(path, file.cpus, file.chardev).flatMap((device) => device.ports);
  const already = wanted.filter(({ name }) => there.some((port) => port.name === name));
  const missing = wanted.filter((port) => !already.includes(port));
  const serials = await listSerials(qmp);
  const buses = serials.map(({ bus, maxPorts }) => ({
    name: bus,
    maxPorts,
    used: new Set(there.filter((port) => port.bus === bus).map((port) => port.nr)),
  }));
  const taken = serials.map(({ id }) => Number(/^virtio-trace(\d+)$/.exec(id)?.[1] ?? -1));
  const { onBuses, newDevices } = findRoom(missing, buses, Math.max(-1, ...taken) + 1);
  const { transport = 'pci' } = file;
  if (transport === 'mmio' && newDevices.length > 0) refuseMmio(missing.length - onBuses.length);
  for (const { bus, port } of onBuses) await addPort(qmp, port, bus);
  for (const device of newDevices) {
    await addSerial(qmp, device, transport);
    for (const port of device.ports) await addPort(qmp, port, `${device.id}.0`);
  }
  return { done: missing.map(({ name }) => name), already: already.map(({ name }) => name), notes: [] };
}

/**
 * Refuses to add virtio-mmio devices: their number is fixed when the machine starts. Ports can be added to existing
 * devices at any time.
 */
function refuseMmio(ports: number): never {
  throw new Failure(
    exitCode.missing,
    `${ports} of the ports need a virtio-serial device, and QEMU cannot add an mmio device to a running machine`,
    'start QEMU with the options that trace-host setup --transport mmio prints',
  );
}

async function addSerial(qmp: QmpConnection, device: SerialDevice, transport: Transport): Promise<void> {
  try {
    await qmp.execute('device_add', serialProperties(device, transport));
    return;
  } catch (cause) {
    if (!(cause instanceof QmpRefusal)) throw cause;
    if (/No 'PCI' bus/.test(cause.message)) throw noPci(cause);
    if (!/hotplug/.test(cause.message)) throw cause;
  }
  // q35: the root bus accepts no devices while the guest runs
  const [bus] = await freeRootPorts(qmp);
  if (bus === undefined)
    throw new Failure(
      exitCode.missing,
      'the guest has no free PCI Express root port for the virtio-serial device that its ports need',
      'start QEMU with -device pcie-root-port,id=spare,chassis=1, or with the options that trace-host setup prints',
    );
  await qmp.execute('device_add', { ...serialProperties(device, transport), bus });
}

function noPci(cause: QmpRefusal): Failure {
  return new Failure(
    exitCode.missing,
    'the guest has no PCI bus, and its ports need a virtio-serial device',
    'start QEMU with the options that trace-host setup --transport mmio prints; on s390x: --transport ccw',
    { cause },
  );
}

/** Adds a port and its chardev; if one cannot be added, the other is not added either. */
async function addPort(qmp: QmpConnection, port: PlacedPort, bus: string): Promise<void> {
  await qmp.execute('chardev-add', { id: port.id, backend: chardevBackend(port) });
  try {
    await qmp.execute('device_add', portProperties(port, bus));
  } catch (cause) {
    await qmp.execute('chardev-remove', { id: port.id }).catch(() => {});
    throw cause;
  }
}

function chardevBackend({ chardev, path }: PlacedPort): object {
  if (chardev === 'pipe') return { type: 'pipe', data: { device: path } };
  return { type: 'socket', data: { addr: { type: 'unix', data: { path } }, server: true, wait: false } };
}

async function detach(qmp: QmpConnection): Promise<TargetChanges> {
  await dropLeftovers(qmp);
  const changes = await takeOut(qmp, ({ name }) => name === controlPortName || cpuOfPort(name) !== undefined);
  const left = await listPorts(qmp);
  for (const { id, path, bus } of await listSerials(qmp)) {
    if (!/^virtio-trace\d+$/.test(id) || left.some((port) => port.bus === bus)) continue;
    await removeDevice(qmp, path);
  }
  return changes;
}

/** Removes ports and their chardevs, whatever their ids: QEMU may have been started with any. */
async function takeOut(qmp: QmpConnection, isMeant: (port: QemuPort) => boolean): Promise<TargetChanges> {
  const done: string[] = [];
  for (const port of await listPorts(qmp)) {
    if (!isMeant(port)) continue;
    await removeDevice(qmp, port.path);
    await qmp.execute('chardev-remove', { id: port.chardev });
    done.push(port.name);
  }
  return { done, already: [], notes: [] };
}

async function removeDevice(qmp: QmpConnection, path: string): Promise<void> {
  const deleted = qmp.event('DEVICE_DELETED', (data) => data['path'] === path);
  deleted.catch(() => {});
  await qmp.execute('device_del', { id: path });
  await deleted;
}
