import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { describe, it } from 'node:test';
import { openTrace } from '../../../src/trace/open.ts';
import { openSession } from '../../../src/trace/session.ts';
import { sessionFiles } from './samples.ts';

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
    const session = await openSession(await sessionFiles(test));
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
    const host = await sessionFiles(test);
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
    const host = await sessionFiles(test);
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
    await assert.rejects(openSession([host, host]), /both files of hosts/);
    await assert.rejects(openSession([]), /no trace/);
  });

  it('has the events of all machines in the order of their times', async (test) => {
    const host = await sessionFiles(test);
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
    const session = await openSession(await sessionFiles(test));
    const machines = new Set<string>();
    for await (const batch of session.events(({ name }) =>
      name === 'web' ? undefined : { cpus: [name === 'db' ? 1 : 0] },
    ))
      for (const { machine, cpu } of batch) machines.add(`${machine} ${cpu}`);
    assert.deepEqual([...machines].toSorted(), ['db 1', 'host 0']);
    await session.close();
  });
});
