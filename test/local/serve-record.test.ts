// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { isObject } from '../../src/base/json-type.ts';
import { exitCode } from '../../src/base/failure.ts';
import { traceHost } from '../guest/support/trace-host.ts';
import { TestDaemon } from './harness/daemon.ts';
import { hostSettings } from './harness/host-settings.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const thisHost = { guests: [], host: true, events: ['sched'] };

describe('trace-host serve records', { skip: agentSkip(), timeout: 600_000 }, () => {
  holdMachine();
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-serve-record-'));
  let daemon: TestDaemon | undefined;
  afterEach(async () => {
    assert.equal(await daemon?.end(), exitCode.done, daemon?.said);
    assert.ok(!daemon?.said.includes('"msg":"bug"'), daemon?.said);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const start = async (...args: string[]): Promise<TestDaemon> =>
    (daemon = await TestDaemon.start(dir, ...args));
  const folderOf = (id: string): string => join(dir, 'data', 'recordings', id);

  /** Waits until pages of the host have arrived. */
  const arriving = (id: string): Promise<unknown> =>
    until(
      'pages have arrived',
      () => {
        const raw = join(folderOf(id), 'trace.dat.recording', 'cpu0.raw');
        return existsSync(raw) && statSync(raw).size > 0;
      },
      60_000,
    );

  it('this host, and lists, reads and deletes the recording', async () => {
    const before = hostSettings();
    const serving = await start();
    const id = await serving.record({ ...thisHost, durationMs: 1000 });
    const busy = await serving.ask(`/api/recordings/${id}`, { method: 'DELETE' });
    assert.equal(busy.status, 409, busy.text);
    const recording = await serving.recorded(id);
    assert.equal(recording['error'], null);
    assert.equal(recording['whole'], true);
    assert.equal(recording['lostBytes'], 0);
    assert.ok(Number(recording['spanNs']) > 0.9e9, String(recording['spanNs']));
    const { jobs } = await serving.get('/api/jobs');
    assert.ok(Array.isArray(jobs) && isObject(jobs[0]));
    assert.deepEqual([jobs[0]['id'], jobs[0]['state']], [id, 'done']);
    const { recordings } = await serving.get('/api/recordings');
    assert.deepEqual(recordings, [recording]);
    assert.deepEqual(hostSettings(), before);

    const file = await serving.ask(`/api/recordings/${id}/files/0`);
    assert.deepEqual(file.bytes, readFileSync(join(folderOf(id), 'trace.dat')));
    assert.equal((await serving.ask(`/api/recordings/${id}/files/1`)).status, 404);

    const report = await serving.ask(`/api/recordings/${id}/report?limit=5`);
    assert.match(report.text, /^cpus=\d+\n(?:.*sched_\w+:.*\n){4}$/);
    const bad = await serving.ask(`/api/recordings/${id}/report?from=soon`);
    assert.equal(bad.status, 422, bad.text);
    assert.match(bad.text, /--from/);
    const explained = await serving.get(`/api/recordings/${id}/explain?worst=3`);
    assert.ok(Array.isArray(explained['waits']));
    assert.deepEqual(await serving.get(`/api/recordings/${id}/explain?worst=3`), explained, 'from the cache');
    const none = await serving.ask(`/api/recordings/${id}/explain?guest=none`);
    assert.equal(none.status, 422, none.text);
    const perfetto = await serving.ask(`/api/recordings/${id}/perfetto`);
    assert.deepEqual([...perfetto.bytes.subarray(0, 2)], [0x1f, 0x8b], 'gzip');

    assert.equal((await serving.ask(`/api/recordings/${id}`, { method: 'DELETE' })).status, 204);
    assert.deepEqual(await serving.get('/api/recordings').then((all) => all['recordings']), []);
    assert.ok(!existsSync(folderOf(id)));
  });

  it('until it is stopped, and loses nothing by 1,000 clients that do not read', async () => {
    const serving = await start();
    const id = await serving.record(thisHost);
    await arriving(id);
    const sockets: Socket[] = [];
    const request = `GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${serving.token}\r\n\r\n`;
    const statuses = await Promise.all(
      Array.from(
        { length: 1000 },
        () =>
          new Promise<string>((resolve) => {
            const socket = connect(serving.port, '127.0.0.1', () => socket.write(request));
            sockets.push(socket);
            socket.once('data', (chunk: Buffer) => {
              socket.pause();
              resolve(chunk.toString().slice(9, 12));
            });
            socket.once('error', (cause) => resolve(cause.message));
          }),
      ),
    );
    assert.equal(statuses.filter((status) => status === '200').length, 100);
    assert.equal(statuses.filter((status) => status === '503').length, 900);
    assert.equal((await serving.ask('/api/guests')).status, 200);
    const stopped = await serving.ask(`/api/jobs/${id}`, { method: 'DELETE' });
    assert.equal(stopped.status, 200, stopped.text);
    assert.equal(Object(stopped.value)['state'], 'done');
    for (const socket of sockets) socket.destroy();
    const recording = await serving.recorded(id);
    assert.deepEqual([recording['whole'], recording['lostBytes'], recording['overrun']], [true, 0, 0]);
  });

  it('and ends its recordings in order at SIGTERM', async () => {
    const serving = await start();
    const id = await serving.record(thisHost);
    await arriving(id);
    assert.equal(await serving.end('SIGTERM'), exitCode.done, serving.said);
    const { code, stderr } = await traceHost('info', join(folderOf(id), 'trace.dat'));
    assert.equal(code, 0, stderr);
    assert.equal((await (await start()).get(`/api/recordings/${id}`))['whole'], true);
  });

  it('and the recording is whole after a kill -9 of the daemon', async () => {
    const before = hostSettings();
    const killed = await start();
    const id = await killed.record(thisHost);
    await arriving(id);
    await killed.end('SIGKILL');
    // starts at once, while the recorder is still ending
    const serving = await start();
    const recording = await serving.recorded(id);
    assert.deepEqual([recording['whole'], recording['lostBytes'], recording['error']], [true, 0, null]);
    assert.ok(!existsSync(join(folderOf(id), 'trace.dat.recording')));
    assert.deepEqual(hostSettings(), before);
  });

  it('converts what a recorder left that was killed too, and keeps what it cannot convert', async () => {
    const killed = await start();
    const id = await killed.record(thisHost);
    await arriving(id);
    const entry: unknown = await until(
      'the recorder is known',
      () => {
        const value: unknown = JSON.parse(readFileSync(join(folderOf(id), 'entry.json'), 'utf8'));
        return isObject(value) && isObject(value['recorder']) ? value['recorder'] : undefined;
      },
      30_000,
    );
    assert.ok(isObject(entry));
    process.kill(Number(entry['pid']), 'SIGKILL');
    await killed.end('SIGKILL');
    const broken = folderOf('broken');
    mkdirSync(join(broken, 'trace.dat.recording'), { recursive: true });
    writeFileSync(join(broken, 'trace.dat.recording', 'cpu0.raw'), 'x');
    const left = JSON.parse(readFileSync(join(folderOf(id), 'entry.json'), 'utf8'));
    writeFileSync(join(broken, 'entry.json'), JSON.stringify({ ...left, id: 'broken' }));

    const serving = await start();
    const recording = await serving.recorded(id);
    const machines: unknown = recording['machines'];
    assert.ok(Array.isArray(machines));
    assert.equal(machines.length, 1, String(recording['error']));
    const other = await serving.recorded('broken');
    assert.equal(other['whole'], false);
    assert.notEqual(other['error'], null);
    assert.deepEqual(readdirSync(join(broken, 'trace.dat.recording')), ['cpu0.raw']);
  });

  it('and says so when there is not enough space, before it starts', async () => {
    const small = join(dir, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=80M', 'tmpfs', small]);
    try {
      const serving = await start('--data', join(small, 'data'));
      const kept = await serving.record({ ...thisHost, durationMs: 300 });
      await serving.recorded(kept);
      writeFileSync(join(small, 'filler'), Buffer.alloc(30 << 20));
      const refused = await serving.ask('/api/recordings', { method: 'POST', body: thisHost });
      assert.equal(refused.status, 507, refused.text);
      assert.match(refused.text, /bytes free/);
      assert.equal((await serving.get(`/api/recordings/${kept}`))['whole'], true);
      // the disk becomes full while it records
      rmSync(join(small, 'filler'));
      const id = await serving.record(thisHost);
      await until(
        'it records',
        () => existsSync(join(small, 'data', 'recordings', id, 'trace.dat.recording')),
        60_000,
      );
      try {
        writeFileSync(join(small, 'filler'), Buffer.alloc(80 << 20));
      } catch {
        // as much as there is room for
      }
      await until(
        'it ends',
        () => serving.said.includes('recording ended') && serving.said.split('recording ended').length > 2,
        120_000,
      );
      const { jobs } = await serving.get('/api/jobs');
      assert.ok(Array.isArray(jobs) && isObject(jobs[0]));
      assert.match(String(jobs[0]['error']), /space|ENOSPC|full/i);
      assert.equal((await serving.get(`/api/recordings/${kept}`))['whole'], true);
    } finally {
      await daemon?.end();
      execFileSync('umount', [small]);
    }
  });
});
