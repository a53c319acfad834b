// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { version } from '../../src/base/version.ts';
import { hostClocks } from '../../src/host/control/ping.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** A longer wait counts as a hang. */
const patienceMs = 60_000;

async function unpack(archive: Uint8Array): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const reader = extract();
  reader.end(gunzipSync(archive));
  for await (const entry of reader) files.set(entry.header.name, (await buffer(entry)).toString());
  return files;
}

describe('trace-agent answers', { skip }, () => {
  holdMachine();

  it(
    'a stop with the totals of each CPU and the statistics of each ring',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      await scene.startReady();
      const writers = scene.writers();
      await control.order('start');
      for (const writer of writers) await writer.write(3000 + 500 * writer.cpu);
      const { state, ledger } = await control.order('stop');
      assert.equal(state, 'stopped');
      assert.deepEqual(Object.keys(ledger), scene.cpus.map(String));
      for (const { cpu, written } of writers) {
        const { pagesIn, bytesOut, bytesLost, bytesHeld, flushed, ring } = ledger[cpu] ?? assert.fail();
        await until('the bytes', () => scene.port(cpu).receivedBytes >= bytesOut, patienceMs);
        const found = scene.arrived(cpu);
        found.assertSound();
        found.assertAll(cpu, written);
        assert.equal(bytesOut, found.bytes.length);
        assert.equal(pagesIn, found.summary.pages);
        assert.deepEqual({ bytesLost, bytesHeld, flushed }, { bytesLost: 0, bytesHeld: 0, flushed: true });
        assert.equal(ring?.readEvents, written);
        assert.deepEqual([ring.entries, ring.overrun, ring.droppedEvents], [0, 0, 0]);
      }
      // the totals continue, and a stop while stopped is answered too
      const again = await control.order('stop');
      for (const cpu of scene.cpus)
        assert.equal(again.ledger[cpu]?.bytesOut, scene.arrived(cpu).bytes.length);
    }),
  );

  it(
    'a stop that a later start overtakes as superseded, without loss',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      await scene.startReady();
      const writers = scene.writers();
      await control.order('start');
      for (const writer of writers) writer.run(2000, 500);
      for (let round = 0; round < 10; round += 1) {
        control.send(`{"id":"stop","order":"stop"}\n{"id":"start","order":"start"}\n`);
        const stop = await control.answer('stop');
        assert.ok(stop.ok || stop.error.code === 'superseded', JSON.stringify(stop));
        assert.ok((await control.answer('start')).ok);
      }
      for (const writer of writers) await writer.halt();
      await control.order('stop');
      await scene.allArrive(writers);
    }),
  );

  it(
    'status with versions, states, processes and counts',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const [cpu] = scene.cpus;
      const idle = await control.order('status');
      assert.equal(idle.version, version);
      assert.equal(idle.state, 'stopped');
      assert.ok(idle.uptimeMs > 0 && idle.uptimeMs < 600_000);
      const { pid } = idle.cpus[cpu] ?? assert.fail();
      assert.equal(pid, agent.worker(cpu));
      assert.deepEqual(idle.cpus[cpu], {
        state: 'ready',
        pid,
        restarts: 0,
        pagesIn: 0,
        bytesOut: 0,
        bytesLost: 0,
        stalls: 0,
        ring: { entries: 0, overrun: 0, commitOverrun: 0, bytes: 0, droppedEvents: 0, readEvents: 0 },
      });
      await control.order('start');
      await scene.writer(cpu).write(1000);
      // full pages wait for buffer_percent, or for the second that a poll lasts, and take some time to arrive
      let running = await control.order('status');
      const isAll = (): boolean => {
        const { bytesOut = 0 } = running.cpus[cpu] ?? {};
        return bytesOut > 80_000 && bytesOut === scene.port(cpu).receivedBytes;
      };
      for (const deadlineMs = performance.now() + patienceMs; !isAll(); await sleep(20)) {
        assert.ok(performance.now() < deadlineMs, JSON.stringify(running));
        running = await control.order('status');
      }
      const now = running.cpus[cpu] ?? assert.fail();
      assert.equal(running.state, 'running');
      assert.equal(now.state, 'running');
      assert.ok(now.pagesIn > 20);
      assert.equal((now.ring?.readEvents ?? 0) + (now.ring?.entries ?? 0), 1000);
    }),
  );

  it(
    'metadata with as many bytes as announced: a tar of tracefs files',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      await scene.startReady();
      const { bytes, encoding } = await control.order('metadata');
      assert.equal(encoding, 'gzip');
      const files = await unpack(await control.payload(bytes));
      for (const name of ['events/header_page', 'events/header_event', 'events/sched/sched_switch/format'])
        assert.equal(files.get(name), scene.tracefs.read(name), name);
      assert.match(files.get('kallsyms') ?? '', /^[0-9a-f]+ [tTwW] \w/);
      // after that, the stream continues with lines
      assert.ok((await control.order('ping')).ok);
      assert.equal(control.untakenBytes, 0);
    }),
  );

  it(
    'a ping with the current time of its clocks',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      await scene.startReady();
      const before = hostClocks();
      const { clocks } = await control.order('ping');
      const after = hostClocks();
      assert.deepEqual(Object.keys(clocks).toSorted(), Object.keys(before).toSorted());
      const [least, most] = [before, after].map((all) => new Map<string, bigint>(Object.entries(all)));
      for (const [name, text] of Object.entries(clocks)) {
        const isBetween = BigInt(text) >= least!.get(name)! && BigInt(text) <= most!.get(name)!;
        assert.ok(isBetween, `${name}: ${text} of ${least!.get(name)} to ${most!.get(name)}`);
      }
    }),
  );
});
