// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { isLong } from '../set.ts';
import type { Agent, LogLine } from './harness/agent.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { childrenOf, descriptorsOf, isAlive, signalIfThere, threadStatuses } from './harness/processes.ts';
import { inScene, type Scene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** A longer wait counts as a hang. */
const patienceMs = 60_000;
const kills = isLong ? 200 : 50;

function takesOver({ msg }: LogLine): boolean {
  return msg === 'standby takes over';
}

/** Kills a CPU's worker, once it has sent something to the port. @returns its successor */
async function replace(scene: Scene, agent: Agent, cpu: number): Promise<number> {
  const before = scene.port(cpu).receivedBytes;
  await until('pages', () => scene.port(cpu).receivedBytes > before, patienceMs);
  const times = agent.log.filter(takesOver).length;
  process.kill(agent.worker(cpu), 'SIGKILL');
  await until('a takeover', () => agent.log.filter(takesOver).length > times, patienceMs);
  const successor = Number(agent.log.filter(takesOver).at(-1)?.['pid']);
  await until('its work', () => agent.workers.some(({ pid }) => pid === successor), patienceMs);
  return successor;
}

describe('a standby', { skip }, () => {
  holdMachine();

  it(
    'replaces a killed worker at once, and a new standby starts; nothing is lost',
    inScene(
      async (scene) => {
        const control = await scene.addControlPty();
        const agent = await scene.startReady(['--start']);
        const writers = scene.writers();
        for (const writer of writers) writer.run(2000, 200);
        for (const cpu of scene.cpus) {
          const standby = await agent.standby();
          assert.equal(await replace(scene, agent, cpu), standby);
          assert.equal(agent.worker(cpu), standby);
          assert.notEqual(await agent.standby(), standby);
        }
        const crashes = agent.log.filter(({ msg }) => msg === 'worker crashed: restarting');
        assert.deepEqual(
          crashes.map(({ restartMs }) => restartMs),
          [0, 0],
        );
        for (const writer of writers) await writer.halt();
        const { ledger } = await control.order('stop');
        for (const cpu of scene.cpus) assert.equal(ledger[cpu]?.bytesLost, 0);
        await scene.allArrive(writers);
        agent.signal('SIGTERM');
        assert.equal((await agent.exit()).code, exitCode.done);
      },
      { bufferPercent: 1 },
    ),
  );

  it(
    'replaces at once half as often as restarts are allowed; after that, restarts have the usual delay',
    inScene(
      async (scene) => {
        const control = await scene.addControlPty();
        const agent = await scene.startReady(['--start', '--max-restarts', '2']);
        const [victim] = scene.cpus;
        const writer = scene.writer(victim);
        writer.run(1000, 200);
        for (let kill = 0; kill < 3; kill += 1) await replace(scene, agent, victim);
        const waits = agent.log
          .filter(({ msg }) => msg === 'worker crashed: restarting')
          .map(({ restartMs }) => Number(restartMs));
        const [first = -1, second = -1, third = -1] = waits;
        assert.equal(first, 0);
        assert.ok(second >= 50 && second <= 100 && third >= 100 && third <= 200, String(waits));
        await writer.halt();
        await control.order('stop');
        await scene.allAccounted([writer]);
      },
      { bufferPercent: 1 },
    ),
  );

  it(
    "waits as user nobody, has no CPU's descriptors, and ends with the agent",
    inScene(async (scene) => {
      await scene.addControlPty();
      const agent = await scene.startReady();
      const standby = await agent.standby();
      for (const status of threadStatuses(standby)) {
        assert.equal(status.get('Uid'), '65534\t65534\t65534\t65534');
        assert.equal(BigInt(`0x${status.get('CapEff')}`), 0n);
        assert.equal(status.get('NoNewPrivs'), '1');
      }
      const targets = [...descriptorsOf(standby).values()].join('\n');
      assert.doesNotMatch(targets, /trace_pipe_raw|ledger|trace-path|agent-ctl/);
      const shared = new Set([...descriptorsOf(agent.pid)].filter(([fd]) => fd > 2).map(([, name]) => name));
      for (const [fd, target] of descriptorsOf(standby))
        assert.ok(fd <= 2 || !target.startsWith('pipe:') || !shared.has(target), `a pipe of a CPU: ${fd}`);
      // signals from a terminal or a service manager are handled by the supervisor only
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(standby, signal);
      agent.signal('SIGTERM');
      assert.equal((await agent.exit()).code, exitCode.done);
      assert.ok(!isAlive(standby));
      assert.equal(agent.said('standby died: starting another'), 0);
    }),
  );

  it(
    'that is killed is replaced by another one, and no worker is affected',
    inScene(async (scene) => {
      await scene.addControlPty();
      const agent = await scene.startReady(['--start']);
      const workers = agent.workers;
      const standby = await agent.standby();
      process.kill(standby, 'SIGKILL');
      await agent.logged('its death', ({ msg }) => msg === 'standby died: starting another');
      assert.notEqual(await agent.standby(), standby);
      assert.deepEqual(agent.workers, workers);
    }),
  );

  it(
    'that is killed more often than --max-restarts is given up, and tracing continues',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--start', '--max-restarts', '2']);
      const isGivenUp = (): boolean =>
        agent.said('standby keeps dying: no new one until a worker crashes') > 0;
      await until(
        'the end of it',
        () => {
          if (isGivenUp()) return true;
          const workers = new Set(agent.workers.map(({ pid }) => pid));
          for (const pid of childrenOf(agent.pid)) if (!workers.has(pid)) signalIfThere(pid, 'SIGKILL');
          return false;
        },
        patienceMs,
      );
      assert.equal(agent.said('standby died: starting another'), 2);
      assert.equal(childrenOf(agent.pid).length, 2);
      const writers = scene.writers();
      for (const writer of writers) await writer.write(500);
      await control.order('stop');
      await scene.allArrive(writers);
    }),
  );

  it(
    'that hangs when it takes over is killed by the heartbeat and replaced too; nothing is lost',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--start']);
      const [victim] = scene.cpus;
      const standby = await agent.standby();
      process.kill(standby, 'SIGSTOP');
      process.kill(agent.worker(victim), 'SIGKILL');
      await agent.logged('a takeover', takesOver);
      const writers = scene.writers();
      for (const writer of writers) await writer.write(1000);
      const { silentSeconds } = await agent.logged(
        'silence',
        ({ msg }) => msg === 'worker does not respond: killed',
      );
      assert.equal(silentSeconds, 5);
      await control.order('stop');
      assert.notEqual(agent.worker(victim), standby);
      await scene.allArrive(writers);
    }),
  );

  it(
    'exits when its supervisor is killed',
    inScene(async (scene) => {
      scene.addControlFifo();
      const agent = await scene.startReady();
      const standby = await agent.standby();
      await agent.kill();
      await until('its end', () => !isAlive(standby), patienceMs);
    }),
  );

  it(
    'does not exist with --no-standby, and a killed worker is still replaced',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--start', '--no-standby']);
      assert.equal(childrenOf(agent.pid).length, 2);
      const [victim] = scene.cpus;
      process.kill(agent.worker(victim), 'SIGKILL');
      await agent.logged('the crash', ({ msg }) => msg === 'worker crashed: restarting');
      await until('another one', () => agent.workers.length === 2, patienceMs);
      assert.equal(agent.log.filter(takesOver).length, 0);
      assert.equal(childrenOf(agent.pid).length, 2);
      await control.order('stop');
    }),
  );

  it(
    'does not shorten the restart delays of a worker that crashes before it has sent anything',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--max-restarts', '3', '--start']);
      const [victim] = scene.cpus;
      const isGivenUp = (): boolean =>
        agent.log.some(({ cpu, msg }) => cpu === victim && msg.endsWith('given up'));
      await until(
        'the end of it',
        () => {
          for (const { pid, cpu } of agent.workers) if (cpu === victim) signalIfThere(pid, 'SIGKILL');
          return isGivenUp();
        },
        patienceMs,
      );
      const waits = agent.log
        .filter(({ cpu, msg }) => cpu === victim && msg === 'worker crashed: restarting')
        .map(({ restartMs }) => Number(restartMs));
      assert.equal(waits.length, 3);
      waits.forEach((ms, index) => assert.ok(ms >= 50 * 2 ** index && ms <= 100 * 2 ** index, `${ms}`));
      await control.order('stop');
    }),
  );

  it(
    `takes over ${kills} times, and the agent has as many descriptors as before`,
    inScene(
      async (scene) => {
        const control = await scene.addControlPty();
        const agent = await scene.startReady(['--start', '--max-restarts', '1000']);
        const writers = scene.writers();
        await agent.standby();
        const before = [...descriptorsOf(agent.pid)].length;
        for (const writer of writers) writer.run(1000, 200);
        for (let kill = 0; kill < kills; kill += 1) {
          const standby = await agent.standby();
          const cpu = scene.cpus[kill % 2 === 0 ? 0 : 1];
          assert.equal(await replace(scene, agent, cpu), standby);
        }
        for (const writer of writers) await writer.halt();
        await agent.standby();
        await until('all descriptors closed', () => descriptorsOf(agent.pid).size <= before, patienceMs);
        const { ledger } = await control.order('stop');
        for (const cpu of scene.cpus) assert.equal(ledger[cpu]?.bytesLost, 0);
        await scene.allAccounted(writers);
      },
      { bufferPercent: 1 },
    ),
  );
});
