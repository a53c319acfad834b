// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { getPriority } from 'node:os';
import { describe, it } from 'node:test';
import { holdMachine } from './harness/machine-lock.ts';
import { descriptorsOf, flagsOf, threadStatuses, type WorkerProcess } from './harness/processes.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** A longer wait counts as a hang. */
const patienceMs = 60_000;

/**
 * Descriptors not received from the supervisor: the channel is a socket; eventfds, epolls and a wake pipe are
 * Node's; the timer is for waits.
 */
const notLent = /^(anon_inode:\[?(eventpoll|eventfd|io_uring|timerfd)\]?|pipe:.*|socket:.*|\/dev\/null)$/;
const closeOnExec = 0o2000000;

/** Asserts that a worker's descriptors are those that it received, once each, and Node's own. */
function assertLent(scene: { readonly dir: string }, agentPid: number, { pid, cpu }: WorkerProcess): void {
  const open = descriptorsOf(pid);
  assert.deepEqual([open.get(0), open.get(1)], ['/dev/null', '/dev/null']);
  const others = [...open].filter(([fd]) => fd > 2);
  const files = others.filter(([, target]) => !notLent.test(target));
  assert.deepEqual(
    files.map(([, target]) => target.replace(/^.*(?=\/per_cpu\/)/, '')).toSorted(),
    [
      `/memfd:trace-agent-ledger (deleted)`,
      `/per_cpu/cpu${cpu}/trace_pipe_raw`,
      `${scene.dir}/trace-path-cpu${cpu}`,
    ].toSorted(),
  );
  const ofAgent = new Set([...descriptorsOf(agentPid)].filter(([fd]) => fd > 2).map(([, target]) => target));
  const pipe = others.filter(([, target]) => target.startsWith('pipe:') && ofAgent.has(target));
  assert.equal(pipe.length, 2, 'both ends of one pipe');
  assert.equal(new Set(pipe.map(([, target]) => target)).size, 1);
  for (const [fd, target] of [...files, ...pipe])
    assert.ok((flagsOf(pid, fd) & closeOnExec) !== 0, `${target} is closed on exec`);
  assert.equal(others.filter(([, target]) => target.startsWith('socket:')).length, 1, 'the channel alone');
}

describe('a worker', { skip }, () => {
  holdMachine();

  it(
    'is ready soon, and is pinned with all its threads to its CPU',
    inScene(async (scene) => {
      scene.addControlFifo();
      const agent = scene.start();
      const readyMs = await agent.ready();
      console.log(`ready ${Math.round(readyMs)} ms after the start`);
      assert.deepEqual(
        agent.workers.map(({ cpu }) => cpu).toSorted((a, b) => a - b),
        [...scene.cpus],
      );
      for (const { pid, cpu } of agent.workers) {
        const threads = threadStatuses(pid);
        assert.ok(threads.length > 1, 'Node has several threads');
        for (const status of threads) assert.equal(status.get('Cpus_allowed_list'), String(cpu));
        // it shares its CPU with the tasks that it traces, and must reach its ring in time
        assert.ok(getPriority(pid) < getPriority(), 'it goes before what it traces');
      }
    }),
  );

  it(
    'runs as nobody: no user, group or capability of the agent in any thread, and no way to regain them',
    inScene(async (scene) => {
      scene.addControlFifo();
      const agent = await scene.startReady();
      for (const { pid } of agent.workers) {
        for (const status of threadStatuses(pid)) {
          assert.equal(status.get('Uid'), '65534\t65534\t65534\t65534');
          assert.equal(status.get('Gid'), '65534\t65534\t65534\t65534');
          assert.equal(status.get('Groups'), '');
          for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
            assert.equal(BigInt(`0x${status.get(set)}`), 0n, set);
          assert.equal(status.get('NoNewPrivs'), '1');
        }
      }
    }),
  );

  it(
    'runs as the user given by --user',
    inScene(async (scene) => {
      scene.addControlFifo();
      const agent = await scene.startReady(['--user', 'daemon']);
      const [status] = threadStatuses(agent.worker(scene.cpus[0]));
      assert.match(status?.get('Uid') ?? '', /^1\t1\t/);
    }),
  );

  it(
    "has only the descriptors that it receives, and Node's own; not another worker's, nor the supervisor's",
    inScene(async (scene) => {
      scene.addControlFifo();
      // a descriptor that the agent inherited, as from shells and service managers
      const agent = await scene.startReady([], {
        through: ['sh', '-c', 'exec 9</etc/passwd; exec "$0" "$@"'],
      });
      for (const worker of agent.workers) assertLent(scene, agent.pid, worker);
      const [first] = agent.workers;
      assert.ok(first !== undefined);
      process.kill(first.pid, 'SIGKILL');
      await agent.logged('a standby', ({ msg }) => msg === 'standby takes over');
      await until('its successor', () => agent.workers.length === 2, patienceMs);
      assert.ok(!agent.workers.some(({ pid }) => pid === first.pid));
      for (const worker of agent.workers) assertLent(scene, agent.pid, worker);
    }),
  );

  it(
    'leaves signals of the terminal and of the service manager to the supervisor',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const before = agent.workers;
      await control.order('start');
      for (const { pid } of before)
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) process.kill(pid, signal);
      const writers = scene.writers();
      for (const writer of writers) await writer.write(500);
      await control.order('stop');
      await scene.allArrive(writers);
      assert.deepEqual(agent.workers, before);
    }),
  );
});
