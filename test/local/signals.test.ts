// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode } from '../../src/base/failure.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { isAlive } from './harness/processes.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** A longer wait counts as a hang. */
const patienceMs = 60_000;

describe('trace-agent ends', { skip }, () => {
  holdMachine();

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(
      `at ${signal} when idle: exit code 0, no process left`,
      inScene(async (scene) => {
        scene.addControlFifo();
        const agent = await scene.startReady();
        const pids = agent.workers.map(({ pid }) => pid);
        agent.signal(signal);
        assert.deepEqual(await agent.exit().then(({ code }) => code), exitCode.done);
        assert.equal(pids.length, 2);
        assert.deepEqual(pids.filter(isAlive), []);
        assert.ok(scene.instanceIsThere, 'an instance that it did not make stays');
      }),
    );
  }

  it(
    'at SIGTERM under load: flushes, restores settings, and removes the instances that it created',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const own = `${scene.instance}-own`;
      const made = scene.start(['--instance', own]);
      await made.ready();
      const ordered = `${scene.instance}-ordered`;
      await control.order('start', { trace: { instance: ordered, events: ['sched'], clock: 'boot' } });
      assert.deepEqual(scene.instances.toSorted(), [scene.instance, ordered, own].toSorted());
      await sleep(200);
      made.signal('SIGTERM');
      assert.equal((await made.exit()).code, exitCode.done);
      assert.deepEqual(scene.instances, [scene.instance]);

      // without its own instance, the agent has settings to restore
      const agent = await scene.startReady();
      const before = ['tracing_on', 'trace_clock', 'set_event'].map((name) => scene.tracefs.read(name));
      await control.order('start', { trace: { events: ['sched'], clock: 'boot' } });
      const pids = agent.workers.map(({ pid }) => pid);
      await sleep(200);
      agent.signal('SIGTERM');
      assert.equal((await agent.exit()).code, exitCode.done);
      assert.deepEqual(
        ['tracing_on', 'trace_clock', 'set_event'].map((name) => scene.tracefs.read(name)),
        before,
      );
      assert.equal(scene.tracefs.stats(scene.cpus[0]).entries, 0, 'the ring is empty');
      assert.deepEqual(pids.filter(isAlive), []);
    }),
  );

  it(
    'at SIGTERM while markers are written: everything that was in the ring has arrived',
    inScene(async (scene) => {
      const agent = await scene.startReady(['--start']);
      const writers = scene.writers();
      for (const writer of writers) writer.run(3000, 300);
      await until('pages', () => scene.receivedBytes > 500_000, patienceMs);
      for (const writer of writers) await writer.halt();
      agent.signal('SIGTERM');
      assert.equal((await agent.exit()).code, exitCode.done);
      await scene.allArrive(writers);
    }),
  );

  it(
    'at the second signal, when a port that nobody reads delays the first one',
    inScene(
      async (scene) => {
        for (const cpu of scene.cpus) scene.addPort(cpu, { read: false });
        const control = await scene.addControlPty();
        const agent = await scene.startReady(['--stop-timeout', '10m']);
        const { tracefs } = scene;
        const before = tracefs.read('trace_clock');
        await control.order('start', { trace: { clock: 'boot' } });
        for (const writer of scene.writers()) await writer.write(3000, 500);
        const pids = agent.workers.map(({ pid }) => pid);
        agent.signal('SIGTERM');
        await sleep(1000);
        assert.equal(agent.ended, false, 'the flush waits');
        agent.signal('SIGTERM');
        await until('the end', () => agent.ended, patienceMs);
        assert.equal(agent.child.exitCode, exitCode.failed);
        assert.equal(tracefs.read('trace_clock'), before);
        // workers that wait for --stop-timeout hold pages: a reader lets them finish
        for (const cpu of scene.cpus) scene.port(cpu).read();
        await until('the workers to leave', () => !pids.some(isAlive), patienceMs);
      },
      { ports: 'none' },
    ),
  );
});

describe('trace-agent continues', { skip }, () => {
  holdMachine();

  it(
    'at SIGHUP, and logs its status at SIGUSR1 without opening the inspector',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      await control.order('start');
      agent.signal('SIGHUP');
      agent.signal('SIGUSR1');
      const status = await agent.logged('status', ({ msg }) => msg === 'status');
      assert.equal(status['state'], 'running');
      assert.deepEqual(Object.keys(status['cpus'] ?? {}), scene.cpus.map(String));
      await sleep(300);
      assert.doesNotMatch(agent.stderr, /[Dd]ebugger/);
      assert.equal((await control.order('status')).state, 'running');
    }),
  );
});
