import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { explainSession, explanationAsJson } from '../../../../src/analysis/explain/explain-session.ts';
import type { Explanation } from '../../../../src/analysis/explain/result.ts';
import { Failure } from '../../../../src/base/failure.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { plainGuest, plainHost, type SessionOptions } from '../../../simulator/session/options.ts';
import { type SimulatedSession, simulateSession } from '../../../simulator/session/simulate.ts';
import { writeSession } from '../../../simulator/session/trace/session-files.ts';
import { scratchDir, sessionFiles } from '../../trace/samples.ts';

const options: SessionOptions = {
  seed: 4,
  durationNs: 3e7,
  host: { ...plainHost, hogs: 2 },
  guests: [plainGuest, { ...plainGuest, name: 'db', hasKvm: false, ratePpm: -150 }],
};

describe('explainSession', () => {
  let session: SimulatedSession;
  before(() => {
    session = simulateSession(options);
  });

  async function explained(
    test: TestContext,
    more: Parameters<typeof explainSession>[1] = {},
    files: (host: string) => string[] = (host) => [host],
    made = session,
  ): Promise<Explanation> {
    const host = await writeSession(scratchDir(test), made);
    const opened = await openSession(files(host));
    try {
      return await explainSession(opened, more);
    } finally {
      await opened.close();
    }
  }

  it('finds the worst waits, with causes that sum up to their lengths', async (test) => {
    const { waits, waitCount, clocks, missing } = await explained(test, { worst: 20 });
    assert.equal(waits.length, 20);
    assert.ok(waitCount > 200, `${waitCount}`);
    assert.deepEqual(Object.keys(clocks), ['web', 'db']);
    assert.equal(clocks['web']!.method, 'ping');
    assert.deepEqual(missing, []);
    const lengths = waits.map(({ lengthNs }) => lengthNs);
    assert.deepEqual(
      lengths,
      lengths.toSorted((a, b) => b - a),
    );
    for (const { causes, lengthNs, dueNs, endNs } of waits) {
      assert.equal(
        causes.reduce((sum, { ns }) => sum + ns, 0),
        lengthNs,
      );
      assert.equal(endNs - dueNs, BigInt(lengthNs));
    }
  });

  it('selects waits by guest, task, length and time', async (test) => {
    const all = await explained(test, { worst: 5000 });
    const times = all.waits.map(({ endNs }) => endNs).sort((a, b) => Number(a - b));
    const from = times[Math.floor(times.length / 2)]!;
    const tid = all.waits.find(({ machine }) => machine === 'db')!.tid;
    const keys = ({ waits }: Explanation) =>
      waits
        .map(({ machine, kind, tid, dueNs, endNs }) => `${machine} ${kind} ${tid} ${dueNs} ${endNs}`)
        .sort();
    const chosen = all.waits.filter(
      (wait) => wait.machine === 'db' && wait.tid === tid && wait.lengthNs >= 20_000 && wait.endNs >= from,
    );
    assert.ok(chosen.length > 0);
    const found = await explained(test, { worst: 5000, guest: 'db', task: tid, overNs: 20_000, from });
    assert.deepEqual(keys(found), keys({ ...all, waits: chosen }));
    const named = await explained(test, { worst: 5000, task: 'no such task' });
    assert.deepEqual(named.waits, []);
    await assert.rejects(explained(test, { guest: 'mail' }), Failure);
  });

  it('explains what a guest alone knows, and says what the host would add', async (test) => {
    const { waits, clocks, thieves, missing } = await explained(test, { worst: 5000 }, (host) => [
      join(host, '../s-web.recording'),
    ]);
    const kinds = new Set(waits.flatMap(({ causes }) => causes.map(({ kind }) => kind)));
    assert.deepEqual([...kinds].toSorted(), ['guest-irq', 'guest-softirq', 'guest-task', 'unknown']);
    assert.deepEqual(thieves, []);
    assert.equal(Object.values(clocks)[0]!.method, 'none');
    assert.match(missing.join('\n'), /the host was not traced/);
  });

  it("finds who took a guest's CPUs with the host's trace alone", async (test) => {
    const both = await explained(test);
    const host = await writeSession(scratchDir(test), session);
    const opened = await openSession([host]);
    const alone = await openSession(host, { findGuests: false });
    const { thieves, waits, missing } = await explainSession(alone);
    await opened.close();
    await alone.close();
    assert.deepEqual(waits, []);
    assert.match(missing.join('\n'), /no guest was traced/);
    const outside = ({ thieves }: Pick<Explanation, 'thieves'>) =>
      thieves
        .filter(({ kind }) => kind === 'preempted' || kind === 'woken-behind' || kind === 'hypervisor')
        .map(({ guest, kind, tid, number, ns, count }) => [guest, kind, tid, number, ns, count].join(' '))
        .sort();
    assert.ok(outside({ thieves }).length > 3);
    assert.deepEqual(outside({ thieves }), outside(both));
  });

  it('says which events were not recorded', async (test) => {
    const poor = simulateSession({
      ...options,
      faults: { hostWithout: ['kvm', 'irq', 'softirq'], guestsWithout: ['hrtimer', 'waking'] },
    });
    const { missing } = await explained(test, {}, (host) => [host], poor);
    for (const text of [
      /host: no interrupts/,
      /host: no kvm_exit/,
      /web: no sched_waking/,
      /db: no timers.*-e timer:hrtimer_start/,
    ])
      assert.match(missing.join('\n'), text);
  });

  it('says where events were lost, and that their time is unknown', async (test) => {
    const lossy = simulateSession({ ...options, faults: { hostLoss: 0.01, lossLength: 50 } });
    const { missing, unknownNs, waits } = await explained(test, { worst: 5000 }, (host) => [host], lossy);
    assert.match(missing.join('\n'), /host: events were lost/);
    const names = new Set(waits.flatMap(({ causes }) => causes.map(({ name }) => name)));
    assert.ok(unknownNs > 0 && names.has('events were lost'));
  });

  it("reads the trace.dat files of a host and its guests, whose clocks' bounds are unknown", async (test) => {
    const opened = await openSession(await sessionFiles(test));
    const { clocks, waits } = await explainSession(opened);
    await opened.close();
    assert.equal(waits.length, 10);
    assert.deepEqual(
      Object.values(clocks).map(({ method, offsetNs, ratePpm, boundNs }) => [
        method,
        offsetNs,
        ratePpm,
        boundNs,
      ]),
      [
        ['TIME_SHIFT', 5_000_000n, 0, null],
        ['TIME_SHIFT', 10_000_000n, 0, null],
      ],
    );
  });

  it('gives JSON with times as strings', async (test) => {
    const explanation = await explained(test, { worst: 1 });
    const json = JSON.parse(JSON.stringify(explanationAsJson(explanation)));
    assert.equal(json.waits[0].dueNs, String(explanation.waits[0]!.dueNs));
    assert.equal(json.clocks.web.offsetNs, String(explanation.clocks['web']!.offsetNs));
  });
});
