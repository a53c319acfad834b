// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode } from '../../src/base/failure.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

/** A longer wait counts as a hang. */
const patienceMs = 60_000;

describe('a port that nobody reads', { skip }, () => {
  holdMachine();

  it(
    'ends the stop after --stop-timeout and reports the held bytes; a later reader gets every page in order',
    inScene(
      async (scene) => {
        const [unread, other] = scene.cpus;
        const port = scene.addPort(unread, { read: false });
        const control = await scene.addControlPty();
        // long enough that a reader that waits for its CPU does not count as missing
        const agent = await scene.startReady(['--stop-timeout', '4000']);
        const writers = scene.writers();
        await control.order('start');
        for (const writer of writers) await writer.write(5000, 500);
        const orderedMs = performance.now();
        const { state, ledger } = await control.order('stop');
        const tookMs = performance.now() - orderedMs;
        assert.ok(tookMs >= 3900, `stopped after ${tookMs} ms`);
        assert.equal(state, 'stopped');
        const held = ledger[unread] ?? assert.fail();
        assert.equal(held.flushed, false);
        assert.ok(held.bytesHeld > 0 && held.bytesHeld % 4096 === 0, `${held.bytesHeld} held`);
        assert.equal(held.pagesIn * 4096, held.bytesOut + held.bytesHeld);
        assert.ok(held.stalls > 0);
        assert.equal(ledger[other]?.flushed, true);
        assert.equal(ledger[other].bytesHeld, 0);

        port.read();
        await control.order('start');
        await control.order('stop');
        await scene.allArrive(writers);
        agent.signal('SIGTERM');
        assert.equal((await agent.exit()).code, exitCode.done);
      },
      { ports: 'second' },
    ),
  );

  it(
    'at SIGTERM loses the held bytes, which is reported, with exit code 5',
    inScene(
      async (scene) => {
        for (const cpu of scene.cpus) scene.addPort(cpu, { read: false });
        const control = await scene.addControlPty();
        const agent = await scene.startReady(['--stop-timeout', '300']);
        await control.order('start');
        await scene.writer(scene.cpus[0]).write(5000, 500);
        agent.signal('SIGTERM');
        assert.equal((await agent.exit()).code, exitCode.lost);
        const last = await agent.logged('loss', ({ msg }) => msg === 'pages that the host did not get');
        assert.equal(last['cpu'], scene.cpus[0]);
        assert.ok(Number(last['heldBytes']) > 0);
        assert.equal(last.level, 'error');
      },
      { ports: 'none' },
    ),
  );
});

describe('a port that is missing', { skip }, () => {
  holdMachine();

  it(
    'is reported once and waited for while the other CPU continues, and is used when it appears',
    inScene(
      async (scene) => {
        const [late, other] = scene.cpus;
        const control = await scene.addControlPty();
        const agent = await scene.startReady();
        const complaints = (): number =>
          agent.log.filter(({ msg, cpu }) => cpu === late && msg.includes(`no port trace-path-cpu${late}`))
            .length;
        assert.equal(complaints(), 1);
        const ready = await agent.logged('ready', ({ msg }) => msg === 'ready');
        assert.deepEqual([ready['cpus'], ready['of']], [1, 2]);
        const writers = scene.writers();
        await control.order('start');
        for (const writer of writers) await writer.write(2000);
        await until('the other CPU', () => scene.port(other).receivedBytes > 0, patienceMs);
        const status = await control.order('status');
        assert.equal(status.state, 'running');
        assert.equal(status.cpus[late]?.state, 'waiting');
        assert.match(status.cpus[late].reason ?? '', /-device virtserialport,chardev=trace-path-cpu/);
        await sleep(2500);
        assert.equal(complaints(), 1, 'said once');

        scene.addPort(late);
        await until('the late port', () => agent.workers.length === 2, patienceMs);
        await until('its pages', () => scene.port(late).receivedBytes > 0, patienceMs);
        await control.order('stop');
        await scene.allArrive(writers);
      },
      { ports: 'second' },
    ),
  );
});
