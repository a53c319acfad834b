// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { getPriority } from 'node:os';
import { describe, it } from 'node:test';
import { holdMachine } from './harness/machine-lock.ts';
import { descriptorsOf, threadStatuses } from './harness/processes.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';

const skip = agentSkip();

/** What a worker is lent, by number, as /proc names it. */
function lent(scene: { readonly dir: string }, cpu: number): [fd: number, target: RegExp][] {
  return [
    [0, /^\/dev\/null$/],
    [1, /^\/dev\/null$/],
    [2, /^pipe:|^socket:/],
    [3, new RegExp(`/per_cpu/cpu${cpu}/trace_pipe_raw$`)],
    [4, /^pipe:/],
    [5, /^pipe:/],
    [6, new RegExp(`^${scene.dir}/trace-path-cpu${cpu}$`)],
    [7, /^\/memfd:trace-agent-ledger/],
  ];
}

describe('a worker', { skip }, () => {
  holdMachine();

  it(
    'is ready soon, and is tied with all its threads to its CPU',
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
        // it shares its CPU with what it traces, and must not come too late to its ring
        assert.ok(getPriority(pid) < getPriority(), 'it goes before what it traces');
      }
    }),
  );

  it(
    'is nobody: no user, group or capability of ours, in no thread, and no way to regain them',
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
    'becomes whom --user names',
    inScene(async (scene) => {
      scene.addControlFifo();
      const agent = await scene.startReady(['--user', 'daemon']);
      const [status] = threadStatuses(agent.worker(scene.cpus[0]));
      assert.match(status?.get('Uid') ?? '', /^1\t1\t/);
    }),
  );

  it(
    "has the descriptors that it is lent, and Node's own; not its sister's, nor the supervisor's",
    inScene(async (scene) => {
      scene.addControlFifo();
      // a descriptor that the agent was started with, as shells and service managers leave them
      const agent = await scene.startReady([], {
        through: ['sh', '-c', 'exec 9</etc/passwd; exec "$0" "$@"'],
      });
      for (const { pid, cpu } of agent.workers) {
        const open = descriptorsOf(pid);
        for (const [fd, target] of lent(scene, cpu))
          assert.match(open.get(fd) ?? 'closed', target, `descriptor ${fd}`);
        // the channel is a socket, Node's own are eventfds, epolls and its own wake pipes, the timer is that of its waits
        const others = [...open].filter(([fd]) => fd > 7).map(([, target]) => target);
        assert.deepEqual(
          others.filter(
            (target) =>
              !/^(anon_inode:\[?(eventpoll|eventfd|io_uring|timerfd)\]?|pipe:.*|socket:.*|\/dev\/null)$/.test(
                target,
              ),
          ),
          [],
        );
        assert.equal(
          others.filter((target) => target.startsWith('socket:')).length,
          1,
          'sockets: the channel alone',
        );
      }
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
