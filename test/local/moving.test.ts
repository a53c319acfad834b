// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { echo } from './harness/fifo-port.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** A longer wait counts as a hang. */
const patienceMs = 60_000;

describe('trace-agent moves pages', { skip }, () => {
  holdMachine();

  it(
    'so that every marker of every CPU arrives once and in order, including the last partial page after `0`',
    inScene(async (scene) => {
      const control = scene.addControlFifo();
      const agent = await scene.startReady();
      const writers = scene.writers();
      for (const writer of writers) await writer.write(700);
      echo(control, '1\n');
      await agent.logged('started', ({ msg }) => msg === 'started');
      await Promise.all(writers.map((writer) => writer.write(5001)));
      echo(control, '0\n');
      await scene.allArrive(writers);
      // less than a page, on one CPU only
      const [first, second] = writers;
      await second?.write(1);
      echo(control, '1\n');
      echo(control, '0\n');
      await scene.allArrive(writers);
      assert.equal(first?.written, 5701);
      assert.equal(second?.written, 5702);
    }),
  );

  it(
    'until `0`: then the bytes stop, while tracing_on stays 1 and markers are written; `1` continues without loss',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const writers = scene.writers();
      control.send('1\n');
      await agent.logged('started', ({ msg }) => msg === 'started');
      for (const writer of writers) writer.run(2000, 200);
      await until('pages', () => scene.receivedBytes > 500_000, patienceMs);
      control.send('0\n');
      await agent.logged('stopped', ({ msg }) => msg === 'stopped');
      const { ledger } = await control.order('stop');
      const sent = scene.cpus.reduce((sum, cpu) => sum + (ledger[cpu]?.bytesOut ?? 0), 0);
      await until('what was sent', () => scene.receivedBytes >= sent, patienceMs);
      const entries = (): number => scene.tracefs.stats(scene.cpus[0]).entries;
      const before = entries();
      await until('the ring filling further', () => entries() > before, patienceMs);
      await sleep(500);
      assert.equal(scene.receivedBytes, sent, 'bytes after the stop');
      assert.ok(scene.tracefs.tracingOn(), 'tracing_on is left alone');

      control.send('1\n');
      await until('pages after `1`', () => scene.receivedBytes > sent + 500_000, patienceMs);
      for (const writer of writers) await writer.halt();
      control.send('0\n');
      await scene.allArrive(writers);
    }),
  );

  it(
    'and accounts for each marker at 5,000 per second of 1,000 bytes on every CPU',
    inScene(
      async (scene) => {
        const control = scene.addControlFifo();
        const agent = await scene.startReady();
        const writers = scene.writers();
        echo(control, '1\n');
        await agent.logged('started', ({ msg }) => msg === 'started');
        // on a busy machine a process is slow to start
        for (const writer of writers) await writer.write(1);
        for (let turn = 0; writers.some(({ written }) => written < 5000); turn += 1) {
          assert.ok(turn < 60, 'the writers do not come to their turn');
          for (const writer of writers) writer.run(5000, 1000);
          await sleep(1000);
          for (const writer of writers) await writer.halt();
        }
        echo(control, '0\n');
        await agent.logged('stopped', ({ msg }) => msg === 'stopped');
        await scene.allAccounted(writers);
        for (const { cpu } of writers)
          assert.equal(
            Number(scene.arrived(cpu).summary.lost),
            scene.overrun(cpu),
            'losses that pages tell of',
          );
      },
      { bufferKb: 1408 },
    ),
  );

  it(
    'and with --flush-interval also the page being written, while it runs',
    inScene(async (scene) => {
      scene.addControlFifo();
      await scene.startReady(['--start', '--flush-interval', '100']);
      const writers = scene.writers();
      for (let round = 0; round < 5; round += 1) {
        for (const writer of writers) await writer.write(3);
        await scene.allArrive(writers);
      }
    }),
  );
});
