// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLong } from '../set.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode } from '../../src/base/failure.ts';
import type { Agent } from './harness/agent.ts';
import { echo } from './harness/fifo-port.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { isAlive, signalIfThere, type WorkerProcess } from './harness/processes.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** Kills of each agent's workers: the back-off doubles, so more kills take a new agent. */
const killsPerAgent = 8;
const agents = isLong ? 4 : 2;
/** A longer wait counts as a hang. */
const patienceMs = 60_000;

/** Kills a random living worker; waits for one while all are being restarted. */
async function killAny(agent: Agent): Promise<void> {
  const living = (): WorkerProcess[] => agent.workers.filter(({ pid }) => isAlive(pid));
  const workers = await until('a living worker', () => living().length > 0 && living(), patienceMs);
  const victim = workers[Math.floor(Math.random() * workers.length)];
  if (victim !== undefined) signalIfThere(victim.pid, 'SIGKILL');
}

describe('a worker that is killed', { skip }, () => {
  holdMachine();

  it(
    `${killsPerAgent * agents} times at random moments under load loses nothing: everything arrives once, in order`,
    inScene(
      async (scene) => {
        const control = await scene.addControlPty();
        const writers = scene.writers();
        let kills = 0;
        for (let round = 0; round < agents; round += 1) {
          const agent = await scene.startReady(['--max-restarts', '1000', '--flush-interval', '5']);
          await control.order('start');
          for (const writer of writers) writer.run(4000, 200);
          for (let kill = 0; kill < killsPerAgent; kill += 1) {
            await sleep(Math.random() * 200);
            await killAny(agent);
            kills += 1;
          }
          for (const writer of writers) await writer.halt();
          const { ledger } = await control.order('stop');
          for (const cpu of scene.cpus) {
            assert.ok(ledger[cpu]?.flushed);
            assert.equal(ledger[cpu].bytesLost, 0);
          }
          assert.equal(agent.said('worker crashed: restarting') > 0, true);
          agent.signal('SIGTERM');
          assert.equal((await agent.exit()).code, exitCode.done);
        }
        assert.equal(kills, killsPerAgent * agents);
        await scene.allAccounted(writers);
      },
      { bufferKb: 16_384, bufferPercent: 1 },
    ),
  );

  it(
    'with a full pipe in front of a full port leaves every page to its successor, in order',
    inScene(
      async (scene) => {
        for (const cpu of scene.cpus) scene.addPort(cpu, { read: false });
        const control = await scene.addControlPty();
        const agent = await scene.startReady();
        const writers = scene.writers();
        await control.order('start');
        for (const writer of writers) await writer.write(4000, 500);
        for (let kills = 0; kills < 2; kills += 1) {
          await scene.portsFull(control);
          for (const { pid } of agent.workers) signalIfThere(pid, 'SIGKILL');
          await agent.logged('restarts', () => agent.said('worker crashed: restarting') === 2 * (kills + 1));
          await until('new workers', () => agent.workers.length === 2, patienceMs);
        }
        for (const cpu of scene.cpus) scene.port(cpu).read();
        const { ledger } = await control.order('stop');
        await scene.allArrive(writers);
        for (const cpu of scene.cpus) assert.equal(ledger[cpu]?.bytesOut, scene.port(cpu).receivedBytes);
      },
      { ports: 'none' },
    ),
  );

  it(
    'at a stop, or while it flushes, has a successor that completes the flush',
    inScene(
      async (scene) => {
        const control = await scene.addControlPty();
        const writers = scene.writers();
        for (let round = 0; round < 2; round += 1) {
          const agent = await scene.startReady();
          for (let stop = 0; stop < 2; stop += 1) {
            for (const writer of writers) await writer.write(3000, 500);
            control.send(`{"id":"go","order":"start"}\n{"id":"end","order":"stop"}\n`);
            await sleep(Math.random() * 30);
            for (const { pid } of agent.workers) signalIfThere(pid, 'SIGKILL');
            const answer = await control.answer('end');
            assert.ok(answer.ok, JSON.stringify(answer));
          }
          agent.signal('SIGTERM');
          assert.equal((await agent.exit()).code, exitCode.done);
        }
        await scene.allArrive(writers);
      },
      { bufferKb: 16_384, bufferPercent: 1 },
    ),
  );

  it(
    'more often than --max-restarts is given up, and the other CPU continues; if all are given up, exit code 5',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--max-restarts', '2']);
      const [victim, other] = scene.cpus;
      await control.order('start');
      await killUntilGivenUp(agent, victim);
      const status = await control.order('status');
      assert.equal(status.state, 'running');
      assert.equal(status.cpus[victim]?.state, 'failed');
      assert.equal(status.cpus[victim].restarts, 2);
      assert.equal(status.cpus[other]?.state, 'running');
      const writer = scene.writer(other);
      await writer.write(2000);
      const { ledger } = await control.order('stop');
      assert.equal(ledger[victim]?.flushed, false);
      assert.equal(ledger[other]?.flushed, true);
      await scene.allArrive([writer]);
      await control.order('start');
      await killUntilGivenUp(agent, other);
      assert.equal((await agent.exit()).code, exitCode.lost);
    }),
  );

  it(
    'by the heartbeat, because it is not responding, is replaced',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const [stuck, other] = scene.cpus;
      await control.order('start');
      const pid = agent.worker(stuck);
      process.kill(pid, 'SIGSTOP');
      const writers = scene.writers();
      for (const writer of writers) await writer.write(2000);
      await until('the other CPU', () => scene.port(other).receivedBytes > 0, patienceMs);
      await agent.logged('does not answer', ({ msg }) => msg === 'worker does not respond: killed');
      const { ledger } = await control.order('stop');
      assert.equal(ledger[stuck]?.flushed, true);
      assert.notEqual(agent.worker(stuck), pid);
      await scene.allArrive(writers);
    }),
  );
});

async function killUntilGivenUp(agent: Agent, cpu: number): Promise<void> {
  const isGivenUp = (): boolean =>
    agent.ended || agent.log.some((line) => line['cpu'] === cpu && line.msg.endsWith('given up'));
  await until(
    `CPU ${cpu} given up`,
    () => {
      if (isGivenUp()) return true;
      for (const worker of agent.workers) if (worker.cpu === cpu) signalIfThere(worker.pid, 'SIGKILL');
      return false;
    },
    patienceMs,
  );
}

describe('a supervisor that is killed', { skip }, () => {
  holdMachine();

  it(
    'under load leaves workers that run until their pipes are empty; the next agent continues without loss',
    inScene(
      async (scene) => {
        const writers = scene.writers();
        const control = scene.addControlFifo();
        const first = await scene.startReady(['--start']);
        for (const writer of writers) writer.run(4000, 200);
        for (let round = 0, agent = first; round < 3; round += 1) {
          const before = scene.receivedBytes;
          await until('pages', () => scene.receivedBytes > before + 1_000_000, patienceMs);
          await sleep(Math.random() * 100);
          const workers = agent.workers;
          assert.equal(workers.length, 2);
          await agent.kill();
          // at once: the old workers may still exist
          agent = scene.start();
          await until('the old workers to leave', () => !workers.some(({ pid }) => isAlive(pid)), patienceMs);
          await agent.ready();
          // a FIFO, unlike a port, would accept the new worker's pages before the old one's
          echo(control, '1\n');
          await agent.logged('started', ({ msg }) => msg === 'started');
          if (round < 2) continue;
          for (const writer of writers) await writer.halt();
          agent.signal('SIGTERM');
          assert.equal((await agent.exit()).code, exitCode.done);
        }
        await scene.allAccounted(writers);
      },
      { bufferKb: 16_384, bufferPercent: 1 },
    ),
  );

  it(
    'while its ports are full leaves workers that wait for a reader, and lose none of their pages',
    inScene(
      async (scene) => {
        for (const cpu of scene.cpus) scene.addPort(cpu, { read: false });
        const control = await scene.addControlPty();
        const first = await scene.startReady(['--start', '--stop-timeout', '10m']);
        const writers = scene.writers();
        for (const writer of writers) await writer.write(4000, 500);
        await scene.portsFull(control);
        const workers = first.workers.map(({ pid }) => pid);
        await first.kill();
        await sleep(300);
        assert.deepEqual(workers.filter(isAlive), workers);
        for (const cpu of scene.cpus) scene.port(cpu).read();
        await until('the old workers to leave', () => !workers.some(isAlive), patienceMs);
        const second = await scene.startReady(['--start']);
        second.signal('SIGTERM');
        assert.equal((await second.exit()).code, exitCode.done);
        await scene.allArrive(writers);
      },
      { ports: 'none' },
    ),
  );
});
