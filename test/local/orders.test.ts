// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { maxLineBytes } from '../../src/protocol/line-reader.ts';
import type { ControlPty } from './harness/control-pty.ts';
import { echo } from './harness/fifo-port.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { inScene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';

const skip = agentSkip();

async function stateOf(control: ControlPty): Promise<string> {
  return (await control.order('status')).state;
}

describe('trace-agent accepts bare orders', { skip }, () => {
  holdMachine();

  it(
    'from echo, and from printf without a newline',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      assert.equal(await stateOf(control), 'stopped');
      control.send('1\n');
      await control.settlesAt('running');
      control.send('0\n');
      await control.settlesAt('stopped');
      // digits that follow too soon after one without a newline belong to the same line
      control.send('1');
      await agent.logged('started', () => agent.said('started') === 2);
      await control.settlesAt('running');
      control.send('0');
      await agent.logged('stopped', () => agent.said('stopped') === 2);
      await control.settlesAt('stopped');
    }),
  );

  it(
    'several in one write, of which the last one counts',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      control.send('1\n0\n1\n');
      await control.settlesAt('running');
      control.send('0\n1\n0\n'.repeat(10));
      await control.order('stop');
      assert.equal(await stateOf(control), 'stopped');
      assert.equal(agent.workers.length, 2, 'nobody was restarted for it');
    }),
  );

  it(
    'that were given before it started, from a FIFO whose writers open and close it',
    inScene(async (scene) => {
      const fifo = scene.addControlFifo();
      const agent = scene.start();
      await agent.ready();
      for (let round = 1; round <= 3; round += 1) {
        echo(fifo, '1\n');
        await agent.logged('started', () => agent.said('started') === round);
        echo(fifo, '0');
        await agent.logged('stopped', () => agent.said('stopped') === round);
      }
    }),
  );

  it(
    'and an order that waited in the port',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      control.send('1\n');
      await scene.startReady();
      await control.settlesAt('running');
    }),
  );
});

describe('trace-agent keeps orders and answers in step', { skip }, () => {
  holdMachine();

  it(
    'with a JSON order that arrives in several reads',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      await scene.startReady();
      await control.sendInPieces('{"id":77,"order":"start"}\n{"id":78,"order":"ping"}\n', 9);
      const started = await control.answer(77);
      assert.ok('state' in started && started.state === 'running');
      assert.ok((await control.answer(78)).ok);
    }),
  );

  it(
    'after garbage, long lines and partial orders: they change nothing, and the next order is executed',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const garbage: [bytes: string, code: string | undefined][] = [
        ['start please\n', undefined],
        ['\u0000\u0001\u007f\n', undefined],
        ['2\n', undefined],
        ['{"order":"start"\n', 'bad-json'],
        ['[1]\n', 'not-an-object'],
        ['{"order":"strat"}\n', 'unknown-order'],
        ['{"order":"start","trace":{"buffer":1}}\n', 'unknown-field'],
        [`{"order":"${'s'.repeat(10_000)}"}\n`, 'unknown-order'],
        [`{"order":"${'l'.repeat(maxLineBytes)}"}\n`, 'line-too-long'],
        [`${'1'.repeat(100_000)}\n`, undefined],
      ];
      for (const [bytes, code] of garbage) {
        control.send(bytes);
        if (code !== undefined) {
          const answer = await control.nextAnswer();
          assert.deepEqual([answer.id, answer.ok], [null, false]);
          assert.equal(answer.ok ? '' : answer.error.code, code);
        }
        assert.equal(await stateOf(control), 'stopped', bytes.slice(0, 40));
      }
      assert.equal(agent.said('started'), 0);
      // only answers to orders have arrived, so this is the next line
      await control.order('start');
      assert.equal(await stateOf(control), 'running');
      assert.equal(control.untakenBytes, 0);
    }),
  );

  it(
    'when nobody reads its answers: answers are dropped as a whole, and orders are executed',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      control.pause();
      for (let round = 0; round < 2000; round += 1) control.send(`{"id":${round},"order":"status"}\n`);
      control.send('1\n');
      await agent.logged('started', ({ msg }) => msg === 'started');
      control.resume();
      let answers = 0;
      for (let last = -1; last < 2000; ) {
        // after all others, repeatedly: it may be dropped like them
        if (control.untakenBytes === 0) {
          control.send('{"id":2000,"order":"ping"}\n');
          await sleep(300);
          continue;
        }
        const answer = await control.nextAnswer();
        assert.ok(Number(answer.id) > last, `answer ${answer.id} behind ${last}`);
        last = Number(answer.id);
        answers += 1;
      }
      assert.ok(answers > 10 && answers < 2000, `${answers} answers of 2,000 were kept`);
      assert.equal(await stateOf(control), 'running');
    }),
  );

  it(
    'and refuses the orders that --allow excludes, including bare ones',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady(['--allow', 'start,stop']);
      for (const order of ['status', 'metadata', 'ping']) {
        assert.equal((await control.refusal({ order })).code, 'not-allowed');
      }
      assert.equal((await control.order('start')).state, 'running');
      assert.equal((await control.order('stop')).state, 'stopped');
      agent.signal('SIGTERM');
      await agent.exit();

      const deaf = await scene.startReady(['--allow', 'status']);
      control.send('1\n');
      await deaf.logged('a warning', ({ msg }) => msg.includes('does not accept the order start'));
      assert.equal(await stateOf(control), 'stopped');
    }),
  );
});
