import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { version } from '../../src/version.ts';
import { type SinglePrograms, singlePrograms } from '../single-programs.ts';
import type { Guest } from './harness/index.ts';
import { bootSingleFileGuest } from './harness/single-file-guest.ts';
import { GuestAgent } from './support/agent.ts';
import { reportLines } from './support/recording.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Everything where a program may write. */
const inventory = 'find /tmp /dev/shm /run /dev / -xdev | sort';

describe('the single executables', { timeout: 1_800_000 }, () => {
  let programs: SinglePrograms;

  before(() => {
    programs = singlePrograms();
  });

  describe('trace-agent in a guest without Node, with a read-only root, /tmp, /run and /dev/shm noexec', () => {
    let traced: TracedGuest;
    let guest: Guest;
    let inventoryBefore: string;

    before(async () => {
      traced = await TracedGuest.boot({ cpus: 2 }, undefined, bootSingleFileGuest);
      ({ guest } = traced);
      await guest.check('mount -o remount,ro /');
      for (const dir of ['/tmp', '/run', '/dev/shm']) await guest.check(`mount -o remount,noexec ${dir}`);
      inventoryBefore = await guest.check(inventory);
    });

    after(() => traced.close());

    test('the guest is what it is said to be', async () => {
      assert.doesNotMatch(inventoryBefore, /node$|node_modules|koffi/m);
      assert.notEqual((await guest.run('touch /new')).code, 0);
      const copy = 'cp /bin/busybox /tmp/true && /tmp/true; code=$?; rm /tmp/true; exit $code';
      assert.equal((await guest.run(copy)).code, 126);
      assert.equal(await guest.check('trace-agent --version'), `${version}\n`);
    });

    test('markers arrive once and in order while workers are killed, and nothing but the log is said', async () => {
      const agent = await GuestAgent.start(guest);
      await agent.order1();
      const loaded = traced.load({ rate: 1000, count: 6000 });
      for (const cpu of [0, 1]) {
        await sleep(1500);
        const killed = (await agent.workers()).get(cpu);
        await guest.check(`kill -9 ${killed}`);
        await agent.waitSaid('worker crashed: restarts', cpu + 1);
      }
      await loaded;
      await agent.order0();
      await traced.assertAccounted();
      // a thread of the kernel's may end between the two looks of the last one
      const names = await guest.check(
        `cat /proc/${agent.process.pid}/comm; cat /proc/[0-9]*/comm 2>/dev/null || true`,
      );
      assert.equal(names.split('\n').filter((name) => name === 'trace-agent').length, 1 + 3, names);
      await agent.end();
      for (const line of agent.log.trimEnd().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line);
      assert.equal(await guest.check(inventory), inventoryBefore);
    });

    test('SIGKILL of the supervisor leaves no file and no worker', async () => {
      const agent = await GuestAgent.start(guest);
      const workers = [...(await agent.workers()).values()];
      assert.equal(workers.length, 2);
      await agent.kill();
      await guest.check(
        `while ls -d ${workers.map((pid) => `/proc/${pid}`).join(' ')}; do usleep 50000; done`,
      );
      assert.equal(await guest.check(inventory), inventoryBefore);
    });

    test('where no directory will do, it names each with its reason', async () => {
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

  describe('trace-host beside a guest with the single agent', () => {
    const work = mkdtempSync(join(tmpdir(), 'virtio-trace-single-'));
    const dir = join(work, 'ports');
    const out = join(work, 'trace.dat');
    const temporary = join(work, 'tmp');
    let guest: Guest;

    after(async () => {
      await guest.close();
      rmSync(work, { recursive: true, force: true });
    });

    /** Runs it as in an empty system: no PATH, and nothing that Node or npm would look for. */
    function start(...argv: string[]): { child: ChildProcess; ended: Promise<string>; soFar: () => string } {
      const child = spawn(programs.host, argv, { cwd: work, env: { TMPDIR: temporary } });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      const ended = new Promise<string>((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code, signal) =>
          code === 0 || signal === 'SIGKILL'
            ? resolve(said)
            : reject(new Error(`exit code ${code}: ${said}`)),
        );
      });
      return { child, ended, soFar: () => said };
    }

    const run = (...argv: string[]): Promise<string> => start(...argv).ended;
    const patient = ['--timeout', '120s'];

    test('setup: what it prints, QEMU takes', async () => {
      const printed = await run('setup', '--cpus', '2', '--dir', dir, '--format', 'qemu');
      const qemuArgs = printed
        .split('\n')
        .filter((line) => line.startsWith('-'))
        .flatMap((line) => line.split(' '));
      guest = await bootSingleFileGuest({ cpus: 2, ports: [], qemuArgs });
      await GuestAgent.start(guest);
      assert.match(await run('status', '--dir', dir, ...patient), /ready|idle|stopped/);
    });

    test('record with zstd, info, and trace-cmd reads it', async () => {
      const args = ['--dir', dir, '-e', 'sched', '--compress', 'zstd', '-o', out, ...patient];
      const { child, ended, soFar } = start('record', ...args);
      while (!soFar().includes('recording;') && child.exitCode === null) await sleep(50);
      await guest.check('for i in 1 2 3 4 5; do ls / >/dev/null; done');
      child.kill('SIGINT');
      await ended;
      assert.match(await run('info', out), /zstd/);
      assert.ok(reportLines(out).length > 20);
    });

    test('killed while it records, it leaves what convert makes a file of, and no file besides', async () => {
      rmSync(out);
      const { child, ended } = start('record', '--dir', dir, '-e', 'sched', '-o', out, ...patient);
      while (!readdirSync(work).includes('trace.dat.recording')) await sleep(50);
      const raw = join(`${out}.recording`, 'cpu0.raw');
      while ((statSync(raw, { throwIfNoEntry: false })?.size ?? 0) === 0) await sleep(50);
      child.kill('SIGKILL');
      await ended;
      await run('convert', `${out}.recording`, '-o', out);
      assert.ok(reportLines(out).length > 0);
      assert.deepEqual(readdirSync(work).sort(), ['ports', 'trace.dat', 'trace.dat.recording']);
    });
  });
});
