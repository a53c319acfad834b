// @first its waits

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { exitCode } from '../../../../src/base/failure.ts';
import { ControlClient } from '../../../../src/host/control/client.ts';
import { OrderRefused } from '../../../../src/host/control/failures.ts';
import { fastest, offsetNs, roundTripNs } from '../../../../src/host/control/ping.ts';
import { failure } from '../guest-dir/scratch.ts';
import { FakeAgent } from './fake-agent.ts';

const clocks = {
  boottime: '5000000001',
  monotonicRaw: '18446744073709551615',
  realtime: '0',
  monotonic: '7',
  x86Tsc: '9',
};
const source = { instance: null, clock: 'local', pageBytes: 4096 };
const ring = { entries: 1, overrun: 2, commitOverrun: 0, bytes: 3, droppedEvents: 0, readEvents: 4 };
const ledger = { pagesIn: 1, bytesOut: 4096, bytesLost: 0, stalls: 0, bytesHeld: 0, flushed: true, ring };

async function connect(context: TestContext, timeoutMs = 60_000): Promise<[FakeAgent, ControlClient]> {
  const agent = new FakeAgent(context);
  const client = await ControlClient.open(agent.guest, { timeoutMs });
  context.after(() => client.close());
  return [agent, client];
}

describe('ControlClient', { timeout: 300_000 }, () => {
  it('finds the answer to its order among other data', async (context) => {
    const [agent, client] = await connect(context);
    agent.send(
      'stale\n',
      { id: 'older', ok: true, state: 'running', ...source },
      new Uint8Array([0xff, 0x0a, 0x7b, 0x0a]),
    );
    agent.obey = ({ id }) => {
      agent.send(
        { id: 'x', ok: false },
        `\x1f\x8bhalf of a payload{"id":"${id}","ok":true,"version":"1\\u001b[2J",`,
      );
      agent.send(
        '"uptimeMs":1,"state":"running","instance":null,"clock":"local","pageBytes":4096,"cpus":{},"later":{}}\n',
      );
    };
    assert.deepEqual(
      { ...(await client.status()), id: 0 },
      { id: 0, ok: true, version: '1\\u{1b}[2J', uptimeMs: 1, state: 'running', ...source, cpus: {} },
    );
  });

  it('accepts an answer whose id is not its first field', async (context) => {
    const [agent, client] = await connect(context);
    agent.obey = ({ id }) => agent.send({ ok: true, clocks, id });
    const round = await client.ping();
    assert.equal(round.guest.monotonicRaw, 2n ** 64n - 1n);
    assert.deepEqual([round.guest.monotonic, round.guest.x86Tsc], [7n, 9n]);
    assert.ok(roundTripNs(round) > 0n);
    assert.equal(fastest([round, { ...round, received: round.sent }]).received, round.sent);
    const even = {
      ...round,
      sent: { ...round.sent, realtime: 10n },
      received: { ...round.received, realtime: 30n },
    };
    assert.equal(offsetNs(even, 'realtime'), 20n);
  });

  it('matches concurrent orders with their answers by id', async (context) => {
    const [agent, client] = await connect(context);
    const asked: string[] = [];
    agent.obey = ({ id, order }) => {
      asked.push(id);
      if (order === 'status')
        agent.send(
          { id: asked[0], ok: true, clocks },
          { id, ok: true, version: 'v', uptimeMs: 0, state: 'stopped', ...source, cpus: {} },
        );
    };
    const [round, status] = await Promise.all([client.ping(), client.status()]);
    assert.equal(round.guest.realtime, 0n);
    assert.equal(status.version, 'v');
  });

  it('ends a partial line of an earlier host, and sends nothing that the C agent takes for an order', async (context) => {
    const [agent, client] = await connect(context, 50);
    await assert.rejects(
      client.start(),
      failure(exitCode.missing, /does not answer within 0\.05 s/, /agent-ctl-path\.out.*--bare/),
    );
    await client.sendBare('start');
    await client.sendBare('stop');
    while (!agent.received.endsWith('0\n')) await sleep(5);
    assert.match(agent.received, /^ \n/);
    // the C agent reads two bytes at a time, and checks the first
    const orders = agent.received.match(/[^]{2}/g)?.filter((pair) => /^[01]/.test(pair));
    assert.deepEqual(orders, ['1\n', '0\n']);
    assert.doesNotMatch(agent.received, /"start"/, 'a start that nobody may ever read is not sent');
  });

  it('sends what to trace, and returns the ledger', async (context) => {
    const [agent, client] = await connect(context);
    const traces: unknown[] = [];
    agent.obey = ({ id, order, trace }) => {
      if (order === 'ping') agent.send({ id, ok: true, clocks });
      if (order === 'start') {
        traces.push(trace);
        agent.send({ id, ok: true, state: 'running', ...source });
      }
      if (order === 'stop')
        agent.send({
          id,
          ok: true,
          state: 'stopped',
          ...source,
          ledger: { 0: ledger, 11: { ...ledger, ring: null } },
        });
    };
    assert.equal((await client.start({ events: ['sched'] })).state, 'running');
    assert.equal((await client.start()).state, 'running');
    assert.deepEqual(traces, [{ events: ['sched'] }, undefined]);
    const stopped = await client.stop();
    assert.deepEqual(stopped.ledger, { 0: ledger, 11: { ...ledger, ring: null } });
  });

  it('waits for a slow stop as long as the agent answers pings, and no longer', async (context) => {
    const [agent, client] = await connect(context, 2000);
    let alive = true;
    let stopId = '';
    agent.obey = ({ id, order }) => {
      if (order === 'ping' && alive)
        agent.send({ id, ok: false, error: { code: 'not-allowed', message: 'no' } });
      if (order === 'stop') stopId = id;
    };
    const first = client.stop();
    await sleep(5000);
    agent.send({ id: stopId, ok: true, state: 'stopped', ...source, ledger: {} });
    assert.equal((await first).state, 'stopped');
    const second = client.stop();
    await sleep(20);
    alive = false;
    await assert.rejects(second, failure(exitCode.missing, /does not answer/));
  });

  it('reports what the guest refuses, and what to do', async (context) => {
    const [agent, client] = await connect(context);
    agent.obey = ({ id, order }) =>
      agent.send(
        order === 'ping'
          ? { id, ok: true, clocks }
          : { id, ok: false, error: { code: 'unknown-event', message: 'no\x1b[31m "x:y"' } },
      );
    await assert.rejects(client.start({ events: ['x:y'] }), (thrown) => {
      assert.ok(thrown instanceof OrderRefused);
      assert.equal(thrown.code, 'unknown-event');
      return failure(
        exitCode.failed,
        /refuses the order start: no\\u\{1b\}\[31m "x:y" \(unknown-event\)$/,
        /available_events/,
      )(thrown);
    });
    agent.obey = ({ id }) => agent.send({ id, ok: false, error: { code: 'not-allowed', message: 'm' } });
    await assert.rejects(client.metadata(), failure(exitCode.notPermitted, /not-allowed/, /--allow/));
  });

  it('reads metadata with any bytes, and continues after it', async (context) => {
    const [agent, client] = await connect(context);
    const payload = Buffer.from(Array.from({ length: 30_000 }, (_, index) => index % 256));
    agent.obey = ({ id, order }) => {
      if (order === 'metadata')
        agent.send(
          { id, ok: true, bytes: payload.length, encoding: 'gzip' },
          payload.subarray(0, 777),
          payload.subarray(777),
        );
      else agent.send({ id, ok: true, clocks });
    };
    const [metadata] = await Promise.all([client.metadata(), client.ping()]);
    assert.deepEqual(metadata, payload);
    agent.obey = ({ id }) => agent.send({ id, ok: true, bytes: 0, encoding: 'gzip' });
    assert.equal((await client.metadata()).length, 0);
  });

  it('asks again for metadata while the agent packs it for another host, but not forever', async (context) => {
    const [agent, client] = await connect(context, 1000);
    let refusals = 2;
    agent.obey = ({ id, order }) => {
      if (order === 'ping') agent.send({ id, ok: true, clocks });
      else if (refusals-- > 0) agent.send({ id, ok: false, error: { code: 'busy', message: 'packing' } });
      else agent.send({ id, ok: true, bytes: 0, encoding: 'gzip' });
    };
    assert.equal((await client.metadata()).length, 0);
    refusals = Infinity;
    await assert.rejects(client.metadata(), failure(exitCode.failed, /packing \(busy\)/, /try again later/));
  });

  it('gives up metadata that is too large, that stops arriving, or whose sender disappears', async (context) => {
    const [agent, client] = await connect(context, 2000);
    agent.obey = ({ id }) => agent.send({ id, ok: true, bytes: 16 * 1024 * 1024 + 1, encoding: 'gzip' });
    await assert.rejects(
      client.metadata(),
      failure(exitCode.failed, /sent an invalid answer to the order metadata: it announces 16777217 bytes/),
    );
    agent.obey = ({ id, order }) => {
      if (order === 'metadata') agent.send({ id, ok: true, bytes: 1000, encoding: 'gzip' }, 'some');
    };
    await assert.rejects(client.metadata(), failure(exitCode.missing, /does not answer/));
    const third = client.metadata();
    agent.quit();
    await assert.rejects(third, failure(exitCode.missing, /has disconnected: its QEMU closed/));
    await assert.rejects(client.ping(), failure(exitCode.missing, /has disconnected: its QEMU closed/));
  });

  it('ignores a second answer to the same order', async (context) => {
    const [agent, client] = await connect(context);
    agent.obey = ({ id, order }) => {
      if (order === 'metadata')
        agent.send({ id, ok: true, bytes: 4, encoding: 'gzip' }, 'abcd', {
          id,
          ok: true,
          bytes: 90,
          encoding: 'gzip',
        });
      else agent.send({ id, ok: true, clocks });
    };
    assert.equal(String(await client.metadata()), 'abcd');
    assert.equal((await client.ping()).guest.realtime, 0n);
  });

  it('survives a flood of data without a newline', async (context) => {
    const [agent, client] = await connect(context, 2000);
    const noise = Buffer.alloc(4096, '{"id":"');
    const flood = setInterval(() => agent.send(noise), 1);
    context.after(() => clearInterval(flood));
    await assert.rejects(client.status(), failure(exitCode.missing, /does not answer/));
    clearInterval(flood);
    agent.obey = ({ id }) => agent.send('\n', { id, ok: true, clocks });
    assert.equal((await client.ping()).guest.realtime, 0n);
  });
});
