// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { locateTracefs } from '../../src/tracefs/locate.ts';
import { Tracefs } from '../../src/tracefs/tracefs.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { Arrived, whole } from './harness/pages.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

function subBufferSkip(): string | false {
  const skip = agentSkip();
  if (skip !== false) return skip;
  const there = new Tracefs(locateTracefs()).readIfThere('buffer_subbuf_size_kb') !== undefined;
  return there ? false : 'this kernel has sub-buffers of one size only (6.8 and later have more)';
}

describe('sub-buffers of 8 KB', { skip: subBufferSkip() }, () => {
  holdMachine();
  const options = { subBufferKb: 8 };

  it(
    'arrive as pages of 8,192 bytes, including the partial one, also when a worker is killed',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--flush-interval', '20']);
      const writers = scene.writers();
      await control.order('start');
      for (const writer of writers) await writer.write(3000, 300);
      process.kill(agent.worker(scene.cpus[0]), 'SIGKILL');
      for (const writer of writers) await writer.write(3001, 300);
      const { ledger } = await control.order('stop');
      await scene.allArrive(writers);
      for (const cpu of scene.cpus) {
        const { pageBytes, bytes } = scene.arrived(cpu);
        assert.equal(pageBytes, 8192);
        assert.equal(ledger[cpu]?.pagesIn, bytes.length / 8192);
      }
    }, options),
  );

  it(
    'are whole in the output of -o to a pipe that two CPUs share',
    inScene(async (scene) => {
      const fifo = scene.addFifo('out');
      fifo.read();
      const fd = openSync(fifo.path, 'w');
      const agent = scene.start(['-o'], { stdout: fd });
      closeSync(fd);
      await agent.ready();
      const writers = scene.writers();
      for (const writer of writers) writer.run(4000, 500);
      await until('pages', () => fifo.receivedBytes > 2_000_000, 60_000);
      for (const writer of writers) await writer.halt();
      agent.signal('SIGINT');
      assert.equal((await agent.exit()).code, exitCode.done);
      const wanted = writers.map(({ cpu, written }) => ({ cpu, count: written }));
      const look = (): Arrived => new Arrived(scene.tracefs, readFileSync(`${fifo.path}.received`));
      const found = await whole(look, wanted);
      assert.equal(found.pageBytes, 8192);
      found.assertSound();
      for (const { cpu, written } of writers) found.assertAll(cpu, written);
    }, options),
  );
});

describe('sub-buffers of 128 KB', { skip: subBufferSkip() }, () => {
  holdMachine();

  it(
    'arrive through a pipe for which a smaller size was requested',
    inScene(
      async (scene) => {
        const control = await scene.addControlPty();
        await scene.startReady(['-s', '64K']);
        const writers = scene.writers();
        await control.order('start');
        for (const writer of writers) await writer.write(1000, 300);
        await control.order('stop');
        await scene.allArrive(writers);
        for (const cpu of scene.cpus) assert.equal(scene.arrived(cpu).pageBytes, 131_072);
      },
      { subBufferKb: 128 },
    ),
  );
});
