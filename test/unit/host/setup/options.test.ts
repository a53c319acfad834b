import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readDomainXml } from '../../../../src/host/setup/target/domain-xml.ts';
import { findRoom } from '../../../../src/host/setup/target/free-slots.ts';
import type { Transport } from '../../../../src/host/port-names.ts';
import { libvirtElements } from '../../../../src/host/setup/libvirt-xml.ts';
import { placePorts } from '../../../../src/host/setup/placement.ts';
import { qemuArguments, qemuText } from '../../../../src/host/setup/qemu-options.ts';
import { scratchDir } from '../guest-dir/scratch.ts';

describe('placePorts', () => {
  it('places at most 15 ports on a device, none in slot 0, with vectors for every queue', () => {
    const shapes = [1, 14, 15, 16, 29, 30].map((cpus) =>
      placePorts('/d', cpus, 'pipe').map(({ ports }) => ports.length),
    );
    assert.deepEqual(shapes, [[2], [15], [15, 1], [15, 2], [15, 15], [15, 15, 1]]);
    const [first, second] = placePorts('/d', 15, 'socket');
    assert.deepEqual([first?.maxPorts, first?.vectors, second?.maxPorts, second?.vectors], [16, 34, 2, 6]);
    assert.deepEqual(
      first?.ports.map(({ nr }) => nr),
      Array.from({ length: 15 }, (_, index) => index + 1),
    );
    assert.deepEqual(second?.ports[0], {
      name: 'trace-path-cpu14',
      id: 'virtio-trace-cpu14',
      nr: 1,
      chardev: 'socket',
      path: '/d/trace-path-cpu14.socket',
    });
  });
});

describe('findRoom', () => {
  const ports = placePorts('/d', 20, 'pipe').flatMap((device) => device.ports);

  it('fills existing devices up to 15 ports and their slots, then adds devices', () => {
    const buses = [
      { name: 'full', maxPorts: 31, used: new Set(Array.from({ length: 15 }, (_, index) => index + 1)) },
      { name: 'small', maxPorts: 4, used: new Set([2]) },
      { name: 'large', maxPorts: 31, used: new Set([1, 0, 30]) },
    ];
    const { onBuses, newDevices } = findRoom(ports, buses, 7);
    assert.deepEqual(
      onBuses.map(({ bus, port }) => `${bus} ${port.nr}`),
      ['small 1', 'small 3', ...Array.from({ length: 12 }, (_, index) => `large ${index + 2}`)],
    );
    assert.deepEqual(
      newDevices.map(({ id, maxPorts, ports: on }) => [id, maxPorts, on[0]?.nr]),
      [['virtio-trace7', 8, 1]],
    );
    const names = [
      ...onBuses.map(({ port }) => port.name),
      ...(newDevices[0]?.ports ?? []).map(({ name }) => name),
    ];
    assert.deepEqual(
      names,
      ports.map(({ name }) => name),
    );
  });

  it('adds no device if all ports find room', () => {
    assert.deepEqual(findRoom([], [], 0), { onBuses: [], newDevices: [] });
    const [one] = ports;
    assert.ok(one);
    assert.deepEqual(findRoom([one], [{ name: 'b', maxPorts: 2, used: new Set() }], 0).newDevices, []);
  });
});

describe('without PCI', () => {
  const devices = placePorts('/d', 16, 'pipe');

  it('devices have other types, and no vectors', () => {
    const serials = (transport: Transport) =>
      qemuArguments(devices, transport).filter((word) => word.startsWith('virtio-serial'));
    assert.deepEqual(serials('mmio'), [
      'virtio-serial-device,id=virtio-trace0,max_ports=16',
      'virtio-serial-device,id=virtio-trace1,max_ports=3',
    ]);
    assert.deepEqual(serials('ccw'), [
      'virtio-serial-ccw,id=virtio-trace0,max_ports=16',
      'virtio-serial-ccw,id=virtio-trace1,max_ports=3',
    ]);
    assert.deepEqual(serials('pci'), [
      'virtio-serial-pci,id=virtio-trace0,max_ports=16,vectors=34',
      'virtio-serial-pci,id=virtio-trace1,max_ports=3,vectors=8',
    ]);
    const ports = (transport: Transport) =>
      qemuArguments(devices, transport).filter((word) => !word.startsWith('virtio-serial'));
    assert.deepEqual(ports('mmio'), ports('pci'));
  });
});

describe('qemuText', () => {
  const nasty = placePorts("/tmp/it's, odd", 1, 'socket');

  it('doubles the commas in a path', () => {
    assert.ok(
      qemuArguments(nasty).includes(
        "socket,id=virtio-trace-ctl,path=/tmp/it's,, odd/agent-ctl-path.socket,server=on,wait=off",
      ),
    );
  });

  it('can be pasted into a shell, whatever the path', () => {
    const words = qemuArguments(nasty);
    const pasted = spawnSync('sh', ['-c', `printf '%s\\n' ${qemuText(words, true)}`], { encoding: 'utf8' });
    assert.equal(pasted.stdout, words.map((word) => `${word}\n`).join(''));
  });

  it('is split correctly by $(…)', () => {
    const words = qemuArguments(placePorts('/tmp/virtio-trace', 20, 'pipe'));
    assert.deepEqual(qemuText(words, false).split(/\s+/).slice(0, -1), words);
  });
});

describe('libvirtElements', () => {
  const validator = spawnSync('virt-xml-validate', ['--version']).error === undefined;
  const skip = validator ? false : 'virt-xml-validate is missing: install libvirt-clients';

  function domain(elements: readonly string[]): string {
    return `<domain type='qemu'><name>n</name><memory unit='MiB'>64</memory><os><type>hvm</type></os>
      <devices>${elements.join('')}</devices></domain>`;
  }

  for (const [chardev, transport] of [
    ['pipe', 'pci'],
    ['socket', 'pci'],
    ['pipe', 'mmio'],
    ['pipe', 'ccw'],
  ] as const) {
    it(`conform to libvirt's schema for ${chardev}s over ${transport}`, { skip }, (context) => {
      const file = join(scratchDir(context), 'domain.xml');
      writeFileSync(
        file,
        domain(libvirtElements(placePorts(`/tmp/<"odd" & 'mad'>`, 16, chardev), transport)),
      );
      const checked = spawnSync('virt-xml-validate', [file, 'domain'], { encoding: 'utf8' });
      assert.equal(checked.status, 0, checked.stdout + checked.stderr);
    });
  }

  it("are read back from a domain's XML", () => {
    const own = libvirtElements(placePorts('/d', 15, 'pipe'));
    const others = `<controller type='virtio-serial' index='0'>
        <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
      </controller>
      <channel type='unix'>
        <source mode='bind' path='/run/agent'/>
        <target type='virtio' name='org.qemu.guest_agent.0' state='disconnected'/>
        <address type='virtio-serial' controller='0' bus='0' port='2'/>
      </channel>
      <console type='pty'><target type='virtio' port='1'/><address type='virtio-serial' controller='0' bus='0' port='9'/></console>`;
    const { controllers, channels } = readDomainXml(domain([others, ...own]));
    assert.deepEqual(
      controllers.map(({ name, maxPorts, used }) => [name, maxPorts, used.size]),
      [
        ['0', 31, 2],
        ['1', 16, 15],
        ['2', 2, 1],
      ],
    );
    assert.equal(channels.size, 17);
    assert.equal(channels.get('trace-path-cpu14')?.trim(), own.at(-1)?.trim());
  });
});
