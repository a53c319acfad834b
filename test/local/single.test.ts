// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeRepeated } from '../../bench/measure/repeated-trace.ts';
import { readSome, reportDifference, traceHost } from '../report/compare.ts';
import { repoRoot } from '../repo-root.ts';
import { longTest } from '../set.ts';
import { buildSinglePrograms, type SinglePrograms, singlePrograms } from '../single-programs.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { descriptorsOf, threadStatuses } from './harness/processes.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, ...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000 });
  return { status, stdout, stderr };
}

describe('the single executables', { skip: agentSkip() }, () => {
  let programs: SinglePrograms;

  holdMachine();

  before(async () => {
    programs = await singlePrograms();
  });

  it('print the same as the plain programs', () => {
    for (const [name, single] of [
      ['trace-agent', programs.agent],
      ['trace-host', programs.host],
    ] as const) {
      const plain = join(repoRoot, `dist/bin/${name}.js`);
      for (const args of [['--help'], ['--version'], ['--no-such-option'], ['worker']]) {
        const ended = run(single, ...args);
        assert.deepEqual(ended, run(process.execPath, plain, ...args), `${name} ${args.join(' ')}`);
        assert.notEqual(ended.stdout + ended.stderr, '');
      }
    }
  });

  it('print a report with several threads', async (context) => {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-single-'));
    context.after(() => rmSync(dir, { recursive: true }));
    const file = join(dir, 'trace.dat');
    await writeRepeated(dir, file, 20);
    assert.equal(
      await reportDifference([...traceHost, '-j', '1'], [programs.host, 'report', '-j', '2'], ['-i', file]),
      undefined,
    );
    const child = spawn(programs.host, ['report', '-j', '8', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    // the threads start after the first part
    await readSome(child.stdout, 4 << 20);
    const threads = readdirSync(`/proc/${child.pid}/task`).length;
    child.stdout.destroy();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    // Node has some of its own
    assert.ok(threads >= 8 + 6, String(threads));
  });

  it(
    'move every marker; a worker runs the same file, with the same privileges and no further descriptors',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady([], { program: [programs.agent] });
      for (const { pid, cpu } of agent.workers) {
        const statuses = threadStatuses(pid);
        assert.equal(statuses[0]?.get('Name'), 'trace-agent');
        for (const status of statuses) {
          assert.equal(status.get('Uid'), '65534\t65534\t65534\t65534');
          assert.equal(status.get('Cpus_allowed_list'), String(cpu));
        }
        const files = [...descriptorsOf(pid).values()].filter((target) => target.includes('(deleted)'));
        assert.deepEqual(files, ['/memfd:trace-agent-ledger (deleted)']);
      }
      await control.order('start');
      const writers = scene.writers();
      for (const writer of writers) await writer.write(500);
      await control.order('stop');
      await scene.allArrive(writers);
      agent.signal('SIGTERM');
      assert.equal((await agent.exit()).code, 0, agent.stderr);
      // V8 would warn about conflicting flags here
      assert.deepEqual(
        agent.log.filter(({ level }) => level === undefined),
        [],
      );
    }),
  );

  it(
    'continue with workers of the same version when an update has replaced the file',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const file = join(scene.dir, 'trace-agent');
      copyFileSync(programs.agent, file);
      const agent = await scene.startReady([], { program: [file] });
      rmSync(file);
      copyFileSync('/bin/false', file);
      process.kill(agent.worker(scene.cpus[0]), 'SIGKILL');
      await agent.logged('crash', ({ msg }) => msg === 'worker crashed: restarting');
      await control.order('start');
      const writers = scene.writers();
      for (const writer of writers) await writer.write(500);
      await control.order('stop');
      await scene.allArrive(writers);
    }),
  );

  it(
    'load native code from a file without a name, so that SIGKILL leaves none behind',
    inScene(async (scene) => {
      scene.addControlFifo();
      const dir = mkdtempSync(join(scene.dir, 'tmp-'));
      const agent = await scene.startReady([], {
        through: ['env', `TMPDIR=${dir}`],
        program: [programs.agent],
      });
      const open = [...descriptorsOf(agent.pid).values()].filter((target) => target.startsWith(dir));
      assert.equal(open.length, 1, 'the directory asked for is the one used');
      await agent.kill();
      assert.deepEqual(readdirSync(dir), []);
    }),
  );

  it('record this host: trace-host is its own agent, and the workers of that', (context) => {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-single-'));
    context.after(() => rmSync(dir, { recursive: true }));
    const out = join(dir, 'trace.dat');
    const record = ['record', '--host', '-e', 'sched', '--duration', '500ms', '-o', out];
    const { status, stderr } = run(programs.host, ...record);
    assert.equal(status, 0, stderr);
    assert.deepEqual(readdirSync(dir), ['trace.dat']);
    assert.match(run(programs.host, 'info', out).stdout, /sched:sched_switch/);
  });

  it('need no privilege', () => {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const { stderr } = run('setpriv', ...nobody, programs.host, 'info', '/nonexistent');
    assert.equal(stderr, 'trace-host: /nonexistent: no such file — check the path\n');
  });

  it(
    'are ready within 1.5 times the time of the plain agent',
    inScene(async (scene) => {
      scene.addControlFifo();
      const ready = async (program?: readonly string[]): Promise<number> => {
        const agent = scene.start([], program === undefined ? {} : { program });
        const ms = await agent.ready();
        agent.signal('SIGTERM');
        await agent.exit();
        return ms;
      };
      // the best of each, in turns: other load on this machine slows both, but not forever
      let [plainMs, singleMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (let round = 0; round < 3 || singleMs >= 1.5 * plainMs; round += 1) {
        assert.ok(round < 20, `ready: plain ${plainMs.toFixed(0)} ms, single ${singleMs.toFixed(0)} ms`);
        plainMs = Math.min(plainMs, await ready());
        singleMs = Math.min(singleMs, await ready([programs.agent]));
      }
      console.log(`ready: plain ${plainMs.toFixed(0)} ms, single ${singleMs.toFixed(0)} ms`);
    }),
  );

  describe('built again, in another place', () => {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-single-'));
    after(() => rmSync(dir, { recursive: true }));

    longTest('have the same bytes', () => {
      buildSinglePrograms(dir);
      for (const name of ['trace-agent', 'trace-host'])
        assert.ok(readFileSync(join(dir, name)).equals(readFileSync(join(programs.dir, name))), name);
    });
  });
});
