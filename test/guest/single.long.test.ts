import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SinglePrograms, singlePrograms } from '../single-programs.ts';
import type { Guest } from './harness/index.ts';
import { bootSingleFileGuest } from './harness/single-file-guest.ts';
import { GuestAgent } from './support/agent.ts';
import { reportLines } from './support/recording.ts';

describe('the single executables', { timeout: 1_800_000 }, () => {
  let programs: SinglePrograms;

  before(async () => {
    programs = await singlePrograms();
  });

  describe('trace-host with a guest that has the single-file agent', () => {
    const work = mkdtempSync(join(tmpdir(), 'virtio-trace-single-'));
    const dir = join(work, 'ports');
    const out = join(work, 'trace.dat');
    const temporary = join(work, 'tmp');
    let guest: Guest;

    after(async () => {
      await guest.close();
      rmSync(work, { recursive: true, force: true });
    });

    /** Runs it as in an empty system: no PATH, and nothing that Node or npm would search for. */
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

    test('setup: QEMU accepts the printed options', async () => {
      const printed = await run('setup', '--cpus', '2', '--dir', dir, '--format', 'qemu');
      const qemuArgs = printed
        .split('\n')
        .filter((line) => line.startsWith('-'))
        .flatMap((line) => line.split(' '));
      guest = await bootSingleFileGuest(programs.agent, { cpus: 2, ports: [], qemuArgs });
      await GuestAgent.start(guest);
      assert.match(await run('status', '--dir', dir, ...patient), /ready|idle|stopped/);
    });

    test('record with zstd, then info and trace-cmd read the file', async () => {
      const args = ['--dir', dir, '-e', 'sched', '--compress', 'zstd', '-o', out, ...patient];
      const { child, ended, soFar } = start('record', ...args);
      while (!soFar().includes('recording;') && child.exitCode === null) await sleep(50);
      await guest.check('for i in 1 2 3 4 5; do ls / >/dev/null; done');
      child.kill('SIGINT');
      await ended;
      assert.match(await run('info', out), /zstd/);
      assert.ok(reportLines(out).length > 20);
    });

    test('when it is killed while recording, convert creates a file from what is left, and no other file remains', async () => {
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
