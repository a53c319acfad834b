// @first it builds the executables

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { version } from '../../src/base/version.ts';
import { type SinglePrograms, singlePrograms } from '../single-programs.ts';
import type { Guest } from './harness/index.ts';
import { restoreSingleFileGuest } from './harness/single-file-guest.ts';
import { GuestAgent } from './support/agent.ts';
import { longTest } from '../set.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Every place where a program may write. */
const inventory = 'find /tmp /dev/shm /run /dev / -xdev | sort';

describe('the single executables', { timeout: 1_800_000 }, () => {
  let programs: SinglePrograms;

  before(async () => {
    programs = await singlePrograms();
  });

  describe('trace-agent in a guest without Node, with a read-only root, /tmp, /run and /dev/shm noexec', () => {
    let traced: TracedGuest;
    let guest: Guest;
    let inventoryBefore: string;

    before(async () => {
      traced = await TracedGuest.restore({ cpus: 2 }, undefined, (options) =>
        restoreSingleFileGuest(programs.agent, options),
      );
      ({ guest } = traced);
      await guest.check('mount -o remount,ro /');
      for (const dir of ['/tmp', '/run', '/dev/shm']) await guest.check(`mount -o remount,noexec ${dir}`);
      inventoryBefore = await guest.check(inventory);
    });

    after(() => traced.close());

    test('the guest is as described', async () => {
      assert.doesNotMatch(inventoryBefore, /node$|node_modules|koffi/m);
      assert.notEqual((await guest.run('touch /new')).code, 0);
      const copy = 'cp /bin/busybox /tmp/true && /tmp/true; code=$?; rm /tmp/true; exit $code';
      assert.equal((await guest.run(copy)).code, 126);
      assert.equal(await guest.check('trace-agent --version'), `${version}\n`);
    });

    test('markers arrive once and in order while workers are killed, and only the log is printed', async () => {
      const agent = await GuestAgent.start(guest);
      await agent.order1();
      const loaded = traced.load({ rate: 1000, count: 6000 });
      for (const cpu of [0, 1]) {
        await sleep(1500);
        const killed = (await agent.workers()).get(cpu);
        await guest.check(`kill -9 ${killed}`);
        await agent.waitSaid('worker crashed: restarting', cpu + 1);
      }
      await loaded;
      await agent.order0();
      await traced.assertAccounted();
      // supervisor, workers and standby: the newest process sets its name a moment after its start
      const deadlineMs = performance.now() + 120_000;
      for (;;) {
        // a kernel thread may end while the last command runs
        const names = await guest.check(
          `cat /proc/${agent.process.pid}/comm; cat /proc/[0-9]*/comm 2>/dev/null || true`,
        );
        if (names.split('\n').filter((name) => name === 'trace-agent').length === 1 + 4) break;
        assert.ok(performance.now() < deadlineMs, names);
        await sleep(100);
      }
      await agent.end();
      for (const line of agent.log.trimEnd().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line);
      assert.equal(await guest.check(inventory), inventoryBefore);
    });

    longTest('SIGKILL of the supervisor leaves no file and no worker behind', async () => {
      const agent = await GuestAgent.start(guest);
      const workers = [...(await agent.workers()).values()];
      assert.equal(workers.length, 2);
      await agent.kill();
      await guest.check(
        `while ls -d ${workers.map((pid) => `/proc/${pid}`).join(' ')}; do usleep 50000; done`,
      );
      assert.equal(await guest.check(inventory), inventoryBefore);
    });

    test('if no directory is usable, each is listed with the reason', async () => {
      await guest.check('mount -o remount,noexec /dev');
      const { code, stderr } = await guest.run('trace-agent');
      await guest.check('mount -o remount,exec /dev');
      assert.equal(code, 3, stderr);
      const noexec = 'failed to map segment from shared object';
      const tried = ['/dev/shm', '/run', '/dev', '/tmp'].map((dir) => `${dir} (${noexec})`);
      tried.push('/var/tmp (ENOENT)', '/usr/bin (EROFS)');
      assert.equal(
        stderr,
        `trace-agent: no directory to load native code from: ${tried.join(', ')} — make one of them writable and ` +
          'not mounted noexec, or name one in TMPDIR: mount -o remount,exec /dev/shm\n',
      );
    });
  });
});
