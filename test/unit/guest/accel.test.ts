import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tcgThread } from '../../guest/harness/accel.ts';

const debian = 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)';

test('emulated CPUs take turns only if the kernel panics at old code and QEMU may run it', () => {
  const found = [
    ['6.1.0-57-amd64', debian],
    ['6.2.16', debian],
    ['6.3.0', debian],
    ['6.12.117+deb12-cloud-amd64', debian],
    ['/work/6.1/vmlinuz-6.12.117+deb12-amd64', debian],
    ['/boot/vmlinuz-5.10.0-33-amd64', debian],
    ['/boot/bzImage', debian],
    ['6.12.0', 'QEMU emulator version 8.0.4'],
    ['6.12.0', 'QEMU emulator version 8.1.0'],
    ['6.12.0', 'QEMU emulator version 10.0.2'],
  ].map(([kernel, qemu]) => tcgThread(kernel ?? '', qemu ?? ''));
  assert.deepEqual(found, [
    'multi',
    'multi',
    'single',
    'single',
    'single',
    'multi',
    'single',
    'single',
    'multi',
    'multi',
  ]);
});
