// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isObject } from '../../src/base/json-type.ts';
import { exitCode } from '../../src/base/failure.ts';
import { version } from '../../src/base/version.ts';
import { TestDaemon } from '../local/harness/daemon.ts';
import { hostSettings } from '../local/harness/host-settings.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { type Guest, restoreGuest, tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { traceHost } from './support/trace-host.ts';

describe('trace-host serve, with a guest', { skip: agentSkip(), timeout: 900_000 }, () => {
  holdMachine();
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-serve-guest-'));
  let guest: Guest;
  let daemon: TestDaemon;
  /** The guest as a named one, and the directory that it is in. */
  let name: string;
  let dir: string;

  before(async () => {
    guest = await restoreGuest({
      cpus: 2,
      ports: tracePorts(2),
      monitor: true,
      running: GuestAgent.running(),
    });
    const portsDir = dirname(guest.port('agent-ctl-path').path);
    [name, dir] = [basename(portsDir), portsDir];
    daemon = await TestDaemon.start(work, '--dir', dir);
  });
  after(async () => {
    assert.equal(await daemon.end(), exitCode.done, daemon.said);
    assert.ok(!daemon.said.includes('"msg":"bug"'), daemon.said);
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  const shown = async (): Promise<Record<string, unknown>> => {
    const { guests } = await daemon.get('/api/guests');
    assert.ok(Array.isArray(guests));
    const [first, ...more] = guests;
    assert.deepEqual(more, []);
    assert.ok(isObject(first));
    return first;
  };

  async function shownAs(state: string): Promise<Record<string, unknown>> {
    for (const untilMs = performance.now() + 120_000; ; ) {
      const one = await shown();
      if (one['state'] === state) return one;
      assert.ok(performance.now() < untilMs, `not ${state}: ${JSON.stringify(one)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  test('shows it, and lets other commands give it orders meanwhile', async () => {
    const one = await shownAs('stopped');
    assert.deepEqual([one['name'], one['cpus'], one['lostBytes'], one['job']], [name, 2, 0, null]);
    const { agent } = one;
    assert.ok(isObject(agent));
    assert.equal(agent['version'], version);
    for (let count = 0; count < 10; count += 1) {
      await daemon.get('/api/guests');
      const { code, stderr } = await traceHost('status', '--dir', dir, '--timeout', '60s');
      assert.equal(code, 0, stderr);
    }
  });

  test('tells who follows its events, and records it with this host, and explains that', async () => {
    const settings = hostSettings();
    let said = '';
    const headers = { authorization: `Bearer ${daemon.token}` };
    const following = get(
      { host: '127.0.0.1', port: daemon.port, path: '/api/events', headers },
      (answer) => {
        answer.setEncoding('utf8').on('data', (text: string) => {
          said += text;
        });
        answer.on('error', () => undefined);
      },
    );
    following.on('error', () => undefined);
    await shownAs('stopped');
    const id = await daemon.record({ guests: [name], host: true, durationMs: 2000 });
    const busy = await shownAs('recording');
    assert.equal(busy['job'], id);
    const again = await daemon.ask('/api/recordings', {
      method: 'POST',
      body: { guests: [name], host: false },
    });
    assert.equal(again.status, 409, again.text);
    const recording = await daemon.recorded(id);
    following.destroy();
    assert.equal(recording['error'], null);
    const machines: unknown = recording['machines'];
    assert.ok(Array.isArray(machines));
    assert.deepEqual(
      machines.map((machine) =>
        isObject(machine) ? [machine['name'], machine['host'], machine['cpus']] : [],
      ),
      [
        [null, true, 2],
        [name, false, 2],
      ],
    );
    assert.match(said, /^event: guests$/m);
    assert.match(said, /^event: jobs\ndata: .*"state":"running"/m);
    assert.match(said, /^event: recordings\ndata: .*"state":"done"/m);
    assert.deepEqual(hostSettings(), settings);
    const explained = await daemon.get(`/api/recordings/${id}/explain?worst=5&guest=${name}`);
    const { waits, clocks } = explained;
    assert.ok(Array.isArray(waits) && waits.length > 0);
    assert.ok(isObject(clocks) && name in clocks);
    await shownAs('stopped');
  });

  test('forgets it when its directory has vanished', async () => {
    await guest.close();
    for (const untilMs = performance.now() + 60_000; ; ) {
      const { guests } = await daemon.get('/api/guests');
      if (Array.isArray(guests) && guests.length === 0) break;
      assert.ok(performance.now() < untilMs, JSON.stringify(guests));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.equal(
      (await daemon.get('/api/recordings').then((all) => Object(all['recordings'])[0])).whole,
      true,
    );
  });
});
