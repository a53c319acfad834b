import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { convert } from '../../../src/trace/convert/convert.ts';
import { openTrace } from '../../../src/trace/open.ts';
import { openSession } from '../../../src/trace/session.ts';
import { sampleMetadata, samplePages, scratchDir, writeRaws } from './samples.ts';

const hostId = 11n;
const lateBy = 5_000_000n;

/** Files of a host and two guests: the same pages, the guests' clocks behind the host's by 5 and 10 ms. */
async function made(test: TestContext): Promise<string> {
  const dir = scratchDir(test);
  const metadata = await sampleMetadata('A');
  const cpus = writeRaws(
    dir,
    Object.fromEntries(
      Object.entries(samplePages('A')).map(([cpu, pages]) => [cpu, pages.slice(0, 40 * 4096)]),
    ),
  );
  const guests = ['web', 'db'].map((name, index) => ({
    name,
    traceId: BigInt(21 + index),
    vcpuTids: new Map([
      [0, 100 + 10 * index],
      [1, 101 + 10 * index],
    ]),
  }));
  const host = join(dir, 's.dat');
  await convert({ cpus, metadata, out: host, traceId: hostId, guests });
  for (const [index, { name, traceId }] of guests.entries()) {
    const sample = { time: 0n, offset: lateBy * BigInt(index + 1), scale: 1n, fractionBits: 0n };
    const timeShift = { peerId: hostId, interpolates: true, cpus: [[sample], [sample]] };
    await convert({ cpus, metadata, out: join(dir, `s-${name}.dat`), traceId, timeShift });
  }
  return host;
}

async function eventsOf(path: string): Promise<string[]> {
  const trace = await openTrace(path);
  const all: string[] = [];
  for await (const batch of trace.events())
    for (const { timestamp, cpu, name, pid } of batch) all.push(`${timestamp} ${cpu} ${name} ${pid}`);
  await trace.close();
  return all;
}

describe('a session', () => {
  it('finds the guests of a host next to its file', async (test) => {
    const session = await openSession(await made(test));
    assert.deepEqual(
      session.machines.map(({ name, hasHostTimes, vcpuTids }) => [name, hasHostTimes, vcpuTids.get(1)]),
      [
        ['host', true, undefined],
        ['web', true, 101],
        ['db', true, 111],
      ],
    );
    assert.deepEqual(session.missing, []);
    assert.equal(session.machine('db').trace.source.traceId, 22n);
    assert.throws(() => session.machine('mail'), /no machine "mail"/);
    await session.close();
  });

  it('reports guests whose files are missing or of another recording', async (test) => {
    const host = await made(test);
    renameSync(host.replace('.dat', '-web.dat'), host.replace('.dat', '-db.dat'));
    const session = await openSession(host);
    assert.deepEqual(
      session.machines.map(({ name }) => name),
      ['host'],
    );
    assert.deepEqual(session.missing, ['web', 'db']);
    await session.close();
  });

  it('takes any files in any order, and a guest without its host', async (test) => {
    const host = await made(test);
    const [web, db] = ['web', 'db'].map((name) => host.replace('.dat', `-${name}.dat`));
    const session = await openSession([db!, host]);
    assert.deepEqual(
      session.machines.map(({ name }) => name),
      ['host', 'db'],
    );
    await session.close();
    const guests = await openSession([web!, web!]);
    assert.deepEqual(
      guests.machines.map(({ name, hasHostTimes }) => [name, hasHostTimes]),
      [
        ['s-web', false],
        ['s-web-2', false],
      ],
    );
    await guests.close();
    await assert.rejects(openSession([host, host]), /both of hosts/);
    await assert.rejects(openSession([]), /no trace/);
  });

  it('has the events of all machines in the order of their times', async (test) => {
    const host = await made(test);
    const session = await openSession(host);
    const byMachine = new Map<string, string[]>(session.machines.map(({ name }) => [name, []]));
    let last = 0n;
    let turns = 0;
    let before = '';
    for await (const batch of session.events())
      for (const { timestamp, cpu, name, pid, machine } of batch) {
        assert.ok(timestamp >= last);
        last = timestamp;
        byMachine.get(machine)!.push(`${timestamp} ${cpu} ${name} ${pid}`);
        if (machine !== before) turns++;
        before = machine;
      }
    await session.close();
    assert.deepEqual(byMachine.get('host'), await eventsOf(host));
    assert.deepEqual(byMachine.get('web'), await eventsOf(host.replace('.dat', '-web.dat')));
    assert.deepEqual(byMachine.get('db'), await eventsOf(host.replace('.dat', '-db.dat')));
    assert.ok(turns > 1000, `${turns} changes of the machine`);
  });

  it('has a filter for each machine', async (test) => {
    const session = await openSession(await made(test));
    const machines = new Set<string>();
    for await (const batch of session.events(({ name }) =>
      name === 'web' ? undefined : { cpus: [name === 'db' ? 1 : 0] },
    ))
      for (const { machine, cpu } of batch) machines.add(`${machine} ${cpu}`);
    assert.deepEqual([...machines].toSorted(), ['db 1', 'host 0']);
    await session.close();
  });
});
