// @first it makes a Debian disk

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { version } from '../../src/base/version.ts';
import { agentPackage } from '../single-programs.ts';
import { bootDebian, freshDebianDisk } from './harness/debian-guest.ts';
import type { Guest } from './harness/index.ts';
import { isLong, longTest } from '../set.ts';
import { Service } from './support/service.ts';
import { traceHost } from './support/trace-host.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Every file, except the system's own logs and state. */
const inventory =
  "find / -xdev -not -path '/root/*' -not -path '/tmp/*' -not -path '/run/*' -not -path '/var/log/*' " +
  "-not -path '/var/lib/dpkg/*' -not -path '/var/lib/apt/*' -not -path '/var/lib/systemd/*' -not -path '/var/cache/*' | sort";

const config = '/etc/virtio-trace/agent.json';
/** A longer wait counts as a hang. */
const slowMs = 300_000;

async function host(guest: Guest, order: string, ...args: string[]): Promise<string> {
  const dir = guest.port('agent-ctl-path').path.replace(/\/[^/]*$/, '');
  const { code, stdout, stderr } = await traceHost(order, '--dir', dir, '--timeout', '120s', ...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('the packaged service in a Debian guest', { timeout: 2_700_000 }, () => {
  let dir: string;
  let disk: string;
  let archive: string;
  let filesBefore: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'virtio-trace-service-'));
    archive = await agentPackage();
    disk = freshDebianDisk(dir);
  });

  after(() => rmSync(dir, { recursive: true, force: true }));

  test('is installed while there is no port, starts when the port is plugged in, and stops when it is unplugged', async () => {
    await using guest = await bootDebian(disk, { cpus: 2 });
    const service = new Service(guest);
    await guest.unplugPort('agent-ctl-path');
    if (isLong) filesBefore = await guest.check(inventory, { timeoutMs: slowMs });
    await guest.writeFile('/root/agent.deb', readFileSync(archive));
    await guest.check('apt-get install -y -q /root/agent.deb', { timeoutMs: slowMs });
    assert.equal(await guest.check('trace-agent --version'), `${version}\n`);
    assert.equal(await service.show('ActiveState'), 'inactive');

    await guest.plugPort('agent-ctl-path');
    await service.until('active');
    assert.match(await host(guest, 'ping'), /ms/);
    assert.equal(await service.show('StatusText'), 'Waiting for the order to start: 2 of 2 CPUs');
    await guest.unplugPort('agent-ctl-path');
    await service.until('inactive');
    assert.equal(await service.show('Result'), 'success');
    assert.equal(await service.show('ExecMainStatus'), '0', 'it ended by itself, its settings put back');

    await guest.powerOff(slowMs);
  });

  describe('after a boot with the port', () => {
    let traced: TracedGuest;
    let guest: Guest;
    let service: Service;

    before(async () => {
      traced = await TracedGuest.boot({ cpus: 2 }, undefined, (options) => bootDebian(disk, options));
      ({ guest } = traced);
      service = new Service(guest);
    });

    after(() => traced.close());

    test("it is active, and every marker between the host's start and stop arrives", async () => {
      await service.until('active');
      await traced.begin();
      await host(guest, 'start');
      await traced.load({ rate: 500, count: 1500 });
      await host(guest, 'stop');
      await traced.assertAccounted();
    });

    longTest('it has the privileges that it needs and almost no others', async () => {
      const verify = 'systemd-analyze verify --man=no /usr/lib/systemd/system/trace-agent.service 2>&1';
      assert.equal(await guest.check(verify), '');
      const assessed = await guest.check('systemd-analyze security --no-pager trace-agent.service');
      const exposure = Number(/exposure level for trace-agent.service: ([\d.]+)/.exec(assessed)?.[1]);
      assert.ok(exposure <= 2.5, `${exposure}`);
      const pid = await service.pid();
      assert.equal(await guest.check(`cat /proc/${pid}/oom_score_adj`), '-500\n', 'CAP_SYS_RESOURCE');
      const workers = await service.workers();
      assert.deepEqual(new Set(workers.keys()), new Set([0, 1]));
      for (const [cpu, worker] of workers) {
        const status = await guest.check(`cat /proc/${worker}/status`);
        assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
        assert.match(status, /^CapEff:\t0+$/m);
        assert.match(status, new RegExp(`^Cpus_allowed_list:\t${cpu}$`, 'm'));
        assert.equal(await guest.check(`cut -d' ' -f19 /proc/${worker}/stat`), '-10\n', 'LimitNICE');
      }
      // A worker that hangs belongs to no agent by now: killing it takes CAP_KILL.
      await guest.check(`kill -STOP ${workers.get(1)}`);
      await service.untilSaid(/"cpu":1,.*worker crashed: restarting/);
      await host(guest, 'metadata', '-o', join(dir, 'metadata.tar.gz'));
      const names = execFileSync('tar', ['-tzf', join(dir, 'metadata.tar.gz')], { encoding: 'utf8' });
      assert.match(names, /kallsyms$/m, 'CAP_SYSLOG, and no ProtectKernelTunables');
    });

    longTest(
      'a killed supervisor is restarted, and only events that the ring overwrote are lost',
      async () => {
        await traced.begin();
        await host(guest, 'start');
        const pid = await service.pid();
        const loaded = traced.load({ rate: 200, count: 200 * 14 });
        await sleep(2000);
        await guest.check(`kill -9 ${pid}`);
        await service.untilRenewed(pid);
        await host(guest, 'start');
        await loaded;
        await host(guest, 'stop');
        await traced.assertAccounted();
      },
    );

    longTest(
      'a supervisor that hangs is replaced by its watchdog, and its workers send their remaining pages',
      async () => {
        // on a busy host the guest may not run for a few seconds
        await service.override('WatchdogSec=10s');
        let pid = await service.pid();
        await guest.check('systemctl restart trace-agent', { timeoutMs: slowMs });
        await service.untilRenewed(pid);
        pid = await service.pid();
        await traced.begin();
        await host(guest, 'start');
        await sleep(13_000);
        assert.equal(await service.pid(), pid, 'it beats');
        const loaded = traced.load({ rate: 200, count: 200 * 14 });
        await sleep(1000);
        await guest.check(`kill -STOP ${pid}`);
        await service.untilRenewed(pid);
        await service.untilSaid(/Watchdog timeout \(limit 10s\)/);
        await host(guest, 'start');
        await loaded;
        await host(guest, 'stop');
        await traced.assertAccounted();
        await service.forget();
      },
    );

    longTest('a bad or missing configuration is reported, without further restarts', async () => {
      const broken = [
        [`echo '{"cpuz": 1}' > ${config}`, /unknown key.*did you mean cpus\?/],
        [`rm ${config}`, /--config: cannot read \S+agent\.json: ENOENT/],
      ] as const;
      for (const [change, message] of broken) {
        await guest.check(change);
        assert.notEqual((await guest.run('systemctl restart trace-agent', { timeoutMs: slowMs })).code, 0);
        await sleep(3000);
        assert.equal(await service.show('ActiveState'), 'failed');
        assert.equal(await service.show('ExecMainStatus'), '2');
        await service.untilSaid(message);
      }
      await guest.check(`echo '{ "stopTimeout": "2s" }' > ${config}`);
      await guest.check('systemctl restart trace-agent', { timeoutMs: slowMs });
    });

    longTest('an upgrade restarts it; removing and purging it leaves nothing', async () => {
      await guest.check(`echo '{ "stopTimeout": "2s" }' > ${config}`);
      const pid = await service.pid();
      await guest.check('dpkg --force-confold -i /root/agent.deb', { timeoutMs: slowMs });
      await service.untilRenewed(pid);
      await guest.check('apt-get remove -y -q virtio-trace-agent', { timeoutMs: slowMs });
      assert.equal(await service.show('ActiveState'), 'inactive');
      assert.match(await guest.check(`cat ${config}`), /stopTimeout/);
      await guest.check('apt-get purge -y -q virtio-trace-agent', { timeoutMs: slowMs });
      const filesAfter = await guest.check(inventory, { timeoutMs: slowMs });
      const known = new Set(filesBefore.split('\n'));
      const left = filesAfter.split('\n').filter((path) => !known.has(path));
      assert.deepEqual(left, []);
      assert.equal(await service.show('LoadState'), 'not-found');
      assert.doesNotMatch(
        await guest.check('udevadm info /dev/virtio-ports/agent-ctl-path'),
        /trace-agent/,
        'nobody is started for the port',
      );
    });
  });
});
