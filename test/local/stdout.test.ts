// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode } from '../../src/base/failure.ts';
import { makePipe } from '../../src/native/io/pipe.ts';
import { agentProgram } from './harness/agent.ts';
import { holdMachine } from './harness/machine-lock.ts';
import type { MarkerWriter } from './harness/markers.ts';
import { Arrived, whole } from './harness/pages.ts';
import { load, type Sink, sinks, startInto } from './harness/sinks.ts';
import { signalIfThere } from './harness/processes.ts';
import { inScene, type Scene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** Asserts that every marker of every CPU arrived, or was overwritten by the kernel, and that every page is whole. */
async function assertAllOut(scene: Scene, sink: Sink, writers: readonly MarkerWriter[]): Promise<void> {
  const wanted = writers.map(({ cpu, written }) => ({ cpu, count: written - scene.overrun(cpu) }));
  const found = await whole(() => new Arrived(scene.tracefs, sink.received(scene)), wanted);
  found.assertSound();
  for (const { cpu, count } of wanted) assert.equal(found.assertOrdered(cpu), count, `CPU ${cpu}`);
}

describe('trace-agent -o writes whole pages of all CPUs', { skip }, () => {
  holdMachine();

  for (const [name, sink] of Object.entries(sinks)) {
    it(
      `to ${name}, at once without a control port, until SIGINT; the log goes to stderr`,
      inScene(
        async (scene) => {
          const agent = startInto(sink, scene);
          await agent.ready();
          const writers = scene.writers();
          await load(writers, 800);
          agent.signal('SIGINT');
          assert.equal((await agent.exit()).code, exitCode.done);
          await assertAllOut(scene, sink, writers);
          assert.ok(
            agent.log.every(({ level }) => level !== undefined),
            agent.stderr,
          );
        },
        { ports: 'none', bufferPercent: 0 },
      ),
    );

    it(
      `to ${name}, as ordered through a named control port`,
      inScene(
        async (scene) => {
          const control = await scene.addControlPty();
          const agent = startInto(sink, scene, ['--control-port', 'agent-ctl-path']);
          await agent.ready();
          const writers = scene.writers();
          // full rings: all workers write at the same time
          for (const writer of writers) await writer.write(12_000, 500);
          await sleep(300);
          assert.equal(sink.received(scene).length, 0, 'nothing before the order');
          await control.order('start');
          await load(writers, 400);
          await control.order('stop');
          await assertAllOut(scene, sink, writers);
          agent.signal('SIGINT');
          assert.equal((await agent.exit()).code, exitCode.done);
        },
        { ports: 'none', bufferPercent: 0 },
      ),
    );
  }

  for (const name of ['a pipe', 'a file']) {
    it(
      `to ${name} also when workers are killed meanwhile`,
      inScene(
        async (scene) => {
          const sink = sinks[name] ?? assert.fail();
          const agent = startInto(sink, scene, ['--max-restarts', '1000']);
          await agent.ready();
          const writers = scene.writers();
          for (const writer of writers) writer.run(8000, 400);
          for (let kills = 0; kills < 10; kills += 1) {
            await sleep(Math.random() * 100);
            const workers = await until('a worker', () => agent.workers.length > 0 && agent.workers, 60_000);
            signalIfThere(workers[kills % workers.length]?.pid ?? assert.fail(), 'SIGKILL');
          }
          for (const writer of writers) await writer.halt();
          agent.signal('SIGINT');
          assert.equal((await agent.exit()).code, exitCode.done);
          await assertAllOut(scene, sink, writers);
        },
        { ports: 'none', bufferKb: 16_384, bufferPercent: 0 },
      ),
    );
  }

  it(
    'to a socket',
    inScene(
      async (scene) => {
        const agent = scene.start(['-o'], { stdout: 'pipe' }); // Node's pipes are sockets
        const chunks: Buffer[] = [];
        agent.child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
        await agent.ready();
        const writers = scene.writers();
        await load(writers, 300);
        agent.signal('SIGINT');
        assert.equal((await agent.exit()).code, exitCode.done);
        await assertAllOut(scene, { open: () => -1, received: () => Buffer.concat(chunks) }, writers);
      },
      { ports: 'none', bufferPercent: 0 },
    ),
  );
});

describe('trace-agent -o', { skip }, () => {
  holdMachine();

  it(
    'refuses a terminal, with a hint',
    inScene(
      // oxlint-disable-next-line typescript/require-await
      async (scene) => {
        const said = join(scene.dir, 'said');
        const command = `${process.execPath} ${agentProgram} -o --instance ${scene.instance} 2> ${said}`;
        const { status } = spawnSync('script', ['-qec', command, '/dev/null'], { stdio: 'ignore' });
        assert.equal(status, exitCode.usage);
        assert.match(
          readFileSync(said, 'utf8'),
          /^trace-agent: stdout is a terminal.*trace-agent -o --start > trace\.raw\n$/,
        );
      },
      { ports: 'none', bufferPercent: 0 },
    ),
  );

  it(
    'ends with exit code 5 and the reason when the reader of its stdout closes',
    inScene(
      async (scene) => {
        const { readEnd, writeEnd } = makePipe();
        const agent = scene.start(['-o'], { stdout: writeEnd });
        closeSync(writeEnd);
        await agent.ready();
        closeSync(readEnd);
        for (const writer of scene.writers()) await writer.write(2000, 300);
        assert.equal((await agent.exit()).code, exitCode.lost);
        assert.ok(
          agent.log.some(({ msg }) => msg === 'stdout accepts no more pages: EPIPE'),
          agent.stderr,
        );
        assert.ok(
          agent.log.some(({ level, msg }) => level === 'error' && msg === 'pages that the host did not get'),
        );
      },
      { ports: 'none', bufferPercent: 0 },
    ),
  );
});
