import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { explainSession, explanationAsJson } from '../../../../src/analysis/explain/explain-session.ts';
import type { Explanation } from '../../../../src/analysis/explain/result.ts';
import { exitCode, Failure } from '../../../../src/base/failure.ts';
import { convertRecording } from '../../../../src/trace/convert/convert.ts';
import { guestPath, openSession, type Session } from '../../../../src/trace/session.ts';
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
    for (const { causes, lengthNs, dueNs, endNs, machine, boundNs } of waits) {
      assert.equal(boundNs, clocks[machine]!.boundNs);
      assert.equal(
        causes.reduce((sum, { ns }) => sum + ns, 0),
        lengthNs,
      );
      assert.equal(endNs - dueNs, BigInt(lengthNs));
    }
  });

  it("takes the course of guests' clocks from the caller", async (test) => {
    const piece = { guestFrom: 0n, guestTo: 1n, offsetNs: 0n, ratePpm: 0 };
    const quality = { boundNs: 123, medianBoundNs: 1, methods: ['order'], samples: 1, violations: 0 };
    const pieces = new Map([['web', [{ ...piece, ...quality }]]]);
    const { clocks, waits } = await explained(test, { worst: 1000, pieces });
    assert.deepEqual([clocks['web']!.method, clocks['web']!.boundNs], ['order', 123]);
    for (const { machine, boundNs } of waits) assert.equal(boundNs === 123, machine === 'web');
  });

  it("finds the threads of vCPUs by KVM's events, if the host's file does not name them", async (test) => {
    const guest = { ...plainGuest, isPinned: true };
    const made = simulateSession({ ...options, guests: [guest, { ...guest, name: 'db' }] });
    const dir = scratchDir(test);
    const host = await writeSession(dir, made);
    const about = join(host, 'recording.json');
    const text = readFileSync(about, 'utf8');
    const { guests } = JSON.parse(text);
    const waitsWith = async (known: object[], paths: string[]) => {
      writeFileSync(about, JSON.stringify({ ...JSON.parse(text), guests: known }));
      const opened = await openSession(paths);
      try {
        const { waits, missing } = await explainSession(opened, {
          worst: 5000,
          guest: opened.machines[1]!.name,
        });
        return { waits, missing: missing.join('\n') };
      } finally {
        await opened.close();
      }
    };
    const right = await waitsWith(guests, [host]);
    assert.equal(right.missing, '');
    assert.ok(right.waits.some(({ causes }) => causes.some(({ kind }) => kind === 'preempted')));
    const [web, db] = guests;
    // one of two is not named
    const found = await waitsWith([{ ...web, vcpus: [] }, db], [host]);
    assert.deepEqual(found.waits, right.waits);
    assert.match(
      found.missing,
      /^web: which threads .* is not in the host's file; those of KVM's events are taken/,
    );
    // neither is: they cannot be told apart
    const none = await waitsWith(
      [
        { ...web, vcpus: [] },
        { ...db, vcpus: [] },
      ],
      [host],
    );
    assert.match(none.missing, /^web: which threads of the host are its vCPUs is unknown/m);
    // the other guest is not even mentioned
    const other = await waitsWith([{ ...web, vcpus: [] }], [host]);
    assert.match(other.missing, /^web: which threads of the host are its vCPUs is unknown/m);

    // a host's file that names no guest
    const alone = simulateSession({ ...options, guests: [guest] });
    const aloneHost = await writeSession(scratchDir(test), alone);
    const named = await explained(test, { worst: 5000 }, undefined, alone);
    const aloneAbout = join(aloneHost, 'recording.json');
    writeFileSync(
      aloneAbout,
      JSON.stringify({ ...JSON.parse(readFileSync(aloneAbout, 'utf8')), guests: [] }),
    );
    const opened = await openSession([guestPath(aloneHost, 'web'), aloneHost]);
    const { waits, missing } = await explainSession(opened, { worst: 5000 });
    await opened.close();
    const names = new Map(opened.machines.map(({ name }, index) => [name, index === 0 ? 'host' : 'web']));
    const renamed = <Named extends { machine: string }>(each: Named) => ({
      ...each,
      machine: names.get(each.machine),
    });
    assert.deepEqual(
      waits.map((wait) => renamed({ ...wait, causes: wait.causes.map(renamed) })),
      named.waits,
    );
    assert.match(missing.join(), /: which threads .* is not in the host's file/);
  });

  it('knows the pauses of guests from trace.dat files too', async (test) => {
    // shorter than what the clock of a guest would show
    const pauses = [2e6, 1e7].map((at) => ({ at, ns: 1e6 }));
    const made = simulateSession({ ...options, guests: [{ ...plainGuest, pauses }] });
    const recorded = await writeSession(scratchDir(test), made);
    const dir = scratchDir(test);
    const [host, web] = [join(dir, 's.dat'), join(dir, 's-web.dat')];
    await convertRecording(recorded, { out: host });
    await convertRecording(guestPath(recorded, 'web'), { out: web });
    const [fromFiles, fromRecordings] = [await openSession(host), await openSession(recorded)];
    const waitsOf = async (session: Session) => {
      const { waits } = await explainSession(session, { worst: 5000 });
      // a file has the worst bound only
      return waits.map((wait) => ({ ...wait, boundNs: undefined }));
    };
    const waits = await waitsOf(fromFiles);
    assert.deepEqual(waits, await waitsOf(fromRecordings));
    const paused = waits.filter(({ causes }) => causes.some(({ kind }) => kind === 'paused'));
    assert.ok(paused.length > 0);
    for (const session of [fromFiles, fromRecordings]) await session.close();
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
  });

  it('says that a guest or a task is not there', async (test) => {
    const refused = async (more: Parameters<typeof explainSession>[1], message: RegExp, remedy: RegExp) => {
      const why: unknown = await explained(test, more).catch((error: unknown) => error);
      assert.ok(why instanceof Failure);
      assert.equal(why.exitCode, exitCode.usage);
      assert.match(why.message, message);
      assert.match(why.remedy, remedy);
    };
    await refused({ guest: 'mail' }, /no machine "mail"/, /"web", "db"/);
    await refused({ guest: 'host' }, /"host" is the host/, /"web", "db"/);
    await refused({ task: 'no such task' }, /^"web", "db": no task "no such task"/, /trace-host summary/);
    await refused({ task: 99_999 }, /^"web", "db": no task with the id 99999/, /trace-host summary/);
    const { waits } = await explained(test, { worst: 5000 });
    const { machine, task, tid } = waits.find(({ task }) => task.length > 3)!;
    const typed = `${task}x`;
    await refused(
      { guest: machine, task: typed },
      new RegExp(`^"${machine}": no task "${typed}"`),
      new RegExp(`did you mean .*"${task}"`),
    );
    // it was seen, and never had to wait so long
    assert.deepEqual((await explained(test, { task: tid, overNs: 1e9 })).waits, []);
    assert.deepEqual((await explained(test, { task, overNs: 1e9 })).waits, []);
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

  it('infers switches that were not recorded, also if the guests were traced before the host', async (test) => {
    const made = simulateSession({
      ...options,
      durationNs: 2e8,
      host: { ...plainHost, cpus: 2, tasks: 0, hogs: 0, irqEveryNs: 2e7 },
      guests: [{ ...plainGuest, hasKvm: false }],
      faults: { noSwitchFromIdle: [0, 1] },
    });
    const path = await writeSession(scratchDir(test), made);
    for (const cpu of [0, 1]) {
      const file = join(path, `cpu${cpu}.raw`);
      const pages = readFileSync(file);
      assert.ok(pages.length > 2 * 4096);
      writeFileSync(file, pages.subarray(4096));
    }
    const opened = await openSession(path);
    const { waits } = await explainSession(opened, { worst: 5000 });
    await opened.close();
    const isIdle = (cause: { kind: string; tid: number | null }): boolean =>
      cause.kind === 'woken-behind' && cause.tid === 0;
    const found = waits.flatMap(({ causes }) => causes.filter(isIdle));
    const idle = made.truth.waits.flatMap(({ causes }) => causes.filter(isIdle));
    const foundNs = found.reduce((sum, { ns }) => sum + ns, 0);
    const trueNs = idle.reduce((sum, { from, to }) => sum + to - from, 0);
    // a woken vCPU does not wait for an idle CPU
    assert.ok(idle.length > 10 && foundNs < trueNs, `${foundNs} of ${trueNs}`);
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
