// @first it makes a Debian disk

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostPackage } from '../single-programs.ts';
import { bootDebian, freshDebianDisk } from './harness/debian-guest.ts';

/** An emulated guest on a busy host is slow. */
const slowMs = 300_000;

describe("the host's package in a Debian guest", { timeout: 1_800_000 }, () => {
  let dir: string;
  let disk: string;
  let archive: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'virtio-trace-serve-service-'));
    archive = await hostPackage();
    disk = freshDebianDisk(dir);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('starts the daemon when it is installed, and stops it when it is removed', async () => {
    await using guest = await bootDebian(disk, { cpus: 2 });
    const sh = (command: string): Promise<string> => guest.check(command, { timeoutMs: slowMs });
    const show = async (property: string): Promise<string> =>
      (await sh(`systemctl show -P ${property} trace-host.service`)).trim();
    await guest.writeFile('/root/host.deb', readFileSync(archive));
    await sh('apt-get install -y -q --no-install-recommends /root/host.deb');
    for (
      const untilMs = performance.now() + slowMs;
      (await show('ActiveState')) !== 'active';
      await sleep(500)
    )
      assert.ok(performance.now() < untilMs, await sh('journalctl -u trace-host | tail -50'));
    assert.equal(await show('User'), 'trace-host');
    assert.match(await show('StatusText'), /^0 guests, 0 recordings$/);
    const url = (await sh('trace-host open')).trim();
    assert.match(url, /^http:\/\/127\.0\.0\.1:7117\/login#[\w-]{32}$/);
    assert.match(await sh('cat /var/lib/trace-host/token'), /^[\w-]{43}\n$/);
    assert.match(await sh('stat -c "%a %U" /var/lib/trace-host/token'), /^600 trace-host\n$/);
    // its user can set up a guest, which the daemon then shows
    await sh(
      'setpriv --reuid trace-host --regid trace-host --init-groups trace-host setup --dir /var/lib/trace-host/guests --guest web --cpus 1',
    );
    for (const untilMs = performance.now() + slowMs; ; await sleep(500)) {
      if ((await show('StatusText')).startsWith('1 guests')) break;
      assert.ok(performance.now() < untilMs, await sh('journalctl -u trace-host | tail -50'));
    }
    await sh('systemctl restart trace-host');
    assert.equal(await show('ActiveState'), 'active');
    await sh('apt-get remove -y -q virtio-trace-host');
    assert.equal(await show('ActiveState'), 'inactive');
    assert.match(await sh('ls /var/lib/trace-host'), /token/);
  });
});
