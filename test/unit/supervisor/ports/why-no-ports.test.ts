import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../../../src/base/failure.ts';
import { missingDriver, otherPorts } from '../../../../src/supervisor/ports/why-no-ports.ts';
import { scratchDir } from '../../trace/samples.ts';

/** A sysfs with one device below a bus. */
function sysfs(test: TestContext, device: string, files: Record<string, string>, driver = false): string {
  const sys = scratchDir(test);
  mkdirSync(join(sys, device), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(sys, device, name), `${text}\n`);
  if (driver) mkdirSync(join(sys, device, 'driver'));
  return sys;
}

describe('a guest without ports', () => {
  const serial = { modalias: 'virtio:d00000003v00001AF4' };

  it('lacks the driver of its virtio-serial device', (test) => {
    const failure = missingDriver(sysfs(test, 'bus/virtio/devices/virtio2', serial));
    assert.equal(failure?.exitCode, exitCode.missing);
    assert.equal(failure.message, 'this guest has a virtio-serial device (virtio2) but no driver for it');
    assert.equal(failure.remedy, 'load it: modprobe virtio_console');
  });

  it('lacks the driver of the transport below it', (test) => {
    for (const device of ['0x1003', '0x1043']) {
      const files = { vendor: '0x1af4', device };
      const failure = missingDriver(sysfs(test, 'bus/pci/devices/0000:00:03.0', files));
      assert.equal(failure?.remedy, 'load it: modprobe virtio_pci');
    }
  });

  it('lacks the mmio driver; empty slots do not count', (test) => {
    const sys = sysfs(test, 'bus/platform/devices/LNRO0005:00', { modalias: 'acpi:LNRO0005:' });
    const failure = missingDriver(sys);
    assert.equal(
      failure?.message,
      'this guest has a virtio device over mmio (LNRO0005:00) but no driver for it',
    );
    assert.equal(failure?.remedy, 'load it: modprobe virtio_mmio');
    mkdirSync(join(sys, 'bus/platform/drivers/virtio-mmio'), { recursive: true });
    assert.equal(missingDriver(sys), undefined);
  });

  it('has the driver, but it is not bound to the device', (test) => {
    const sys = sysfs(test, 'bus/virtio/devices/virtio2', serial);
    mkdirSync(join(sys, 'bus/virtio/drivers/virtio_console'), { recursive: true });
    const failure = missingDriver(sys);
    assert.match(failure?.message ?? '', /\(virtio2\), but the driver virtio_console is not bound to it/);
    assert.match(failure?.remedy ?? '', /echo virtio2 > \/sys\/bus\/virtio\/drivers\/virtio_console\/bind/);
  });

  it('does not lack a driver that it has, nor that of another device', (test) => {
    assert.equal(missingDriver(sysfs(test, 'bus/virtio/devices/virtio2', serial, true)), undefined);
    const network = { modalias: 'virtio:d00000001v00001AF4' };
    assert.equal(missingDriver(sysfs(test, 'bus/virtio/devices/virtio0', network)), undefined);
    const pci = { vendor: '0x1af4', device: '0x1041' };
    assert.equal(missingDriver(sysfs(test, 'bus/pci/devices/0000:00:03.0', pci)), undefined);
    assert.equal(missingDriver(scratchDir(test)), undefined);
  });

  it('may have ports with other names, which are listed in printable form and limited number', (test) => {
    const sys = sysfs(test, 'class/virtio-ports/vport1p1', { name: 'org.qemu.\u001b[31m' });
    assert.equal(otherPorts('/nonexistent', sys), String.raw`org.qemu.\u{1b}[31m`);
    for (let index = 0; index < 10; index++) {
      mkdirSync(join(sys, `class/virtio-ports/vport2p${index}`));
      writeFileSync(join(sys, `class/virtio-ports/vport2p${index}/name`), `port${index}\n`);
    }
    assert.match(otherPorts('/nonexistent', sys) ?? '', / and 3 more$/);
    assert.equal(otherPorts('/nonexistent', scratchDir(test)), undefined);
  });
});
