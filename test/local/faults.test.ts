// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode } from '../../src/base/failure.ts';
import type { LogLine } from './harness/agent.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { childrenOf, isAlive, threadStatuses } from './harness/processes.ts';
import { inScene, type Scene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** A longer wait counts as a hang. */
const patienceMs = 60_000;

function isGone({ msg }: LogLine): boolean {
  return msg === 'port is gone';
}

/** Replaces a trace port by another file. */
function putInPlaceOfPort(scene: Scene, cpu: number, target: string): void {
  symlinkSync(target, join(scene.dir, `trace-path-cpu${cpu}`));
}

describe('a worker that dies by itself', { skip }, () => {
  holdMachine();

  it(
    'by any signal, including that of a seccomp filter, is replaced, and nothing is lost',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const [victim] = scene.cpus;
      const writers = scene.writers();
      await control.order('start');
      const signals = ['SIGSYS', 'SIGSEGV', 'SIGTRAP', 'SIGBUS', 'SIGXCPU'] as const;
      for (const [index, signal] of signals.entries()) {
        for (const writer of writers) await writer.write(500);
        process.kill(agent.worker(victim), signal);
        await agent.logged(signal, ({ how }) => how === signal);
        assert.equal(agent.said('worker crashed: restarting'), index + 1);
        await until('its successor', () => agent.workers.length === 2, patienceMs);
      }
      await control.order('stop');
      await scene.allArrive(writers);
      agent.signal('SIGTERM');
      assert.equal((await agent.exit()).code, exitCode.done);
    }),
  );

  it(
    'because it throws is replaced and finally given up, with its error in the log; the other CPU loses nothing',
    inScene(
      async (scene) => {
        const [bad, good] = scene.cpus;
        // splice into it fails with EINVAL, which a port never returns
        putInPlaceOfPort(scene, bad, '/dev/full');
        const control = await scene.addControlPty();
        const agent = await scene.startReady(['--max-restarts', '2']);
        const writers = scene.writers();
        await control.order('start');
        for (const writer of writers) await writer.write(2000);
        await agent.logged('given up', ({ cpu, msg }) => cpu === bad && msg.endsWith('given up'));
        assert.equal(agent.said('worker crashed: restarting'), 2);
        assert.match(agent.stderr, /trace-agent worker: Error: splice to the port: EINVAL/);
        const { ledger } = await control.order('stop');
        assert.equal(ledger[bad]?.flushed, false);
        assert.equal(ledger[good]?.flushed, true);
        await scene.allArrive(writers.filter(({ cpu }) => cpu === good));
        agent.signal('SIGTERM');
        assert.equal((await agent.exit()).code, exitCode.lost);
      },
      { ports: 'second' },
    ),
  );
});

describe('a port that opens and disappears at once, repeatedly', { skip }, () => {
  holdMachine();

  it(
    'is retried after ever longer waits: few forks, few log lines, and the other CPU loses nothing',
    inScene(
      async (scene) => {
        const [bad, good] = scene.cpus;
        const file = join(scene.dir, 'file');
        writeFileSync(file, '');
        putInPlaceOfPort(scene, bad, file);
        const control = await scene.addControlPty();
        // two pages each time the file is opened, then EFBIG, which ends the worker like an unplugged port
        const agent = await scene.startReady(['--flush-interval', '50'], {
          through: ['prlimit', '--fsize=8192'],
        });
        const writers = scene.writers();
        await control.order('start');
        for (const writer of writers) await writer.write(3000);
        const gone = (): number[] => agent.log.filter(isGone).map(({ time }) => Date.parse(String(time)));
        await agent.logged('port is gone, repeatedly', () => gone().length >= 6);
        const atMs = gone();
        // 50 to 100 ms, doubling; without the delay, restarts would be as frequent as Node can start
        for (let time = 1; time < 6; time += 1) {
          const waitedMs = (atMs[time] ?? 0) - (atMs[time - 1] ?? 0);
          assert.ok(waitedMs >= 50 * 2 ** (time - 1) - 5, `${waitedMs} ms\n${agent.stderr}`);
        }
        assert.equal(agent.said('worker crashed: restarting'), 0);
        await scene.allArrive(writers.filter(({ cpu }) => cpu === good));
      },
      { ports: 'second' },
    ),
  );
});

describe('a supervisor that is killed while its workers start', { skip }, () => {
  holdMachine();

  it(
    'leaves none of them behind, at any stage of their start: they would keep the ports open forever',
    inScene(async (scene) => {
      scene.addControlFifo();
      // a worker takes some 100 ms from fork to ready
      for (let delayMs = 0; delayMs <= 200; delayMs += 25) {
        const agent = scene.start();
        const children = (): number[] => childrenOf(agent.pid);
        const first = await until('workers', () => children().length > 0 && children(), patienceMs);
        await sleep(delayMs);
        const pids = [...first, ...children()];
        await agent.kill();
        await until(`the end of workers ${pids.join(', ')}`, () => !pids.some(isAlive), patienceMs);
      }
    }),
  );
});

describe('an agent that is not root but has the necessary privileges', { skip }, () => {
  holdMachine();

  const user = 61_234;
  /** As started by a service manager: its own user, and a capability for the kernel's files. */
  const asService = [
    'setpriv',
    `--reuid=${user}`,
    `--regid=${user}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ];

  function hardLimit(pid: number): string {
    const [, , hard = ''] =
      /^Max processes +(\w+) +(\w+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
    return hard;
  }

  function limitProcesses(pid: number, most: string): void {
    const asItself = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'prlimit'];
    execFileSync('setpriv', [...asItself, `--pid=${pid}`, `--nproc=${most}:`]);
  }

  it(
    'has workers without any capability',
    inScene(async (scene) => {
      await scene.addControlPty();
      const agent = await scene.startReady([], { through: asService });
      assert.equal(agent.workers.length, 2);
      for (const { pid } of agent.workers)
        for (const status of threadStatuses(pid)) {
          assert.match(status.get('Uid') ?? '', new RegExp(`^${user}\t`));
          for (const set of ['CapPrm', 'CapEff', 'CapAmb'])
            assert.equal(BigInt(`0x${status.get(set)}`), 0n, set);
        }
    }),
  );

  it(
    'may start no process while a worker dies: the standby replaces it, and a new standby starts once that is allowed',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--max-restarts', '1000', '--start'], { through: asService });
      const [victim] = scene.cpus;
      const standby = await agent.standby();
      limitProcesses(agent.pid, '1');
      process.kill(agent.worker(victim), 'SIGKILL');
      await agent.logged('EAGAIN', ({ how }) => how === 'cannot fork: EAGAIN');
      assert.equal(agent.worker(victim), standby);
      const writers = scene.writers();
      for (const writer of writers) await writer.write(500);
      limitProcesses(agent.pid, hardLimit(agent.pid));
      assert.notEqual(await agent.standby(), standby);
      assert.equal(agent.log.filter(({ how }) => how === 'cannot fork: EAGAIN').length, 1, agent.stderr);
      await control.order('stop');
      await scene.allArrive(writers);
    }),
  );

  it(
    'may start no process for a while: reports it once, the other CPU continues, and everything arrives in the end',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--max-restarts', '1000', '--no-standby'], {
        through: asService,
      });
      const [victim, other] = scene.cpus;
      const writers = scene.writers();
      await control.order('start');
      limitProcesses(agent.pid, '1');
      process.kill(agent.worker(victim), 'SIGKILL');
      for (const writer of writers) await writer.write(2000);
      await agent.logged('EAGAIN', ({ how }) => how === 'cannot fork: EAGAIN');
      await sleep(1500);
      assert.equal(agent.log.filter(({ how }) => how === 'cannot fork: EAGAIN').length, 1, agent.stderr);
      await until('the other CPU', () => scene.port(other).receivedBytes > 100_000, patienceMs);
      limitProcesses(agent.pid, hardLimit(agent.pid));
      await until('a worker again', () => agent.workers.length === 2, patienceMs);
      await control.order('stop');
      await scene.allArrive(writers);
      agent.signal('SIGTERM');
      assert.equal((await agent.exit()).code, exitCode.done);
    }),
  );
});
