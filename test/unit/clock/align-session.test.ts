import assert from 'node:assert/strict';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { alignSession } from '../../../src/clock/align-session.ts';
import { EarlierShift } from '../../../src/clock/earlier-shift.ts';
import type { TimeShift } from '../../../src/trace/dat/time-shift.ts';
import { openTrace } from '../../../src/trace/open.ts';
import { pingsFile, readAlignment } from '../../../src/trace/recording/clock-files.ts';
import { type Simulated, simulate } from '../../simulator/machine.ts';
import {
  busyMachine,
  type GuestFile,
  hostLeadNs,
  recordings,
  shiftBy,
  traceFiles,
} from '../../simulator/recordings.ts';

const options = { ...busyMachine, durationNs: 1e9 };
const machine = simulate(options);

/** Holds the times of a guest's trace against the truth. */
async function assertTimes(path: string, boundNs: number, made = machine): Promise<void> {
  const trace = await openTrace(path);
  const truth = made.events.map(({ host }) => host - made.clock.hostOrigin + hostLeadNs);
  truth.sort((a, b) => Number(a - b));
  let at = 0;
  for await (const batch of trace.events())
    for (const { timestamp } of batch) {
      const error = Math.abs(Number(timestamp - truth[at++]!));
      assert.ok(error <= boundNs * (1 + 1 / 64), `event ${at}: ${error} ns`);
    }
  assert.equal(at, truth.length);
  await trace.close();
}

async function pair(test: TestContext, file: GuestFile = {}) {
  return traceFiles(await recordings(test, machine), file);
}

function wrongBy(ns: number, made: Simulated = machine): GuestFile {
  return { shift: shiftBy(ns, made, options.durationNs) };
}

describe('align', () => {
  for (const [version, compress] of [[7, 'none'] as const, [7, 'zstd'] as const, [6, 'none'] as const])
    it(`mends the TIME_SHIFT of a file of version ${version}, ${compress}`, async (test) => {
      const { host, guest } = await pair(test, { ...wrongBy(700_000), version, compress });
      const [found, ...others] = await alignSession([host]);
      assert.deepEqual(others, []);
      assert.equal(found?.failure, undefined);
      assert.deepEqual(found?.written, [guest]);
      const [piece] = found?.alignment?.pieces ?? [];
      assert.ok(piece && piece.medianBoundNs < 100_000, `${piece?.medianBoundNs}`);
      assert.deepEqual([...piece.methods].toSorted(), ['exclusion', 'time-shift']);
      await assertTimes(guest, piece.boundNs);

      const trace = await openTrace(guest);
      const { timeShift, format } = trace.source;
      await trace.close();
      assert.equal(format?.version, version);
      assert.equal(timeShift?.peerId, 1n);
      assert.deepEqual(timeShift?.quality?.samples, piece.samples);
    });

  it('widens a TIME_SHIFT that is worse than assumed, and refuses one that nothing confirms', async (test) => {
    const bad = await pair(test, wrongBy(2_600_000));
    const [found] = await alignSession([bad.host, bad.guest]);
    assert.equal(found?.failure, undefined);
    await assertTimes(bad.guest, found!.alignment!.pieces[0]!.boundNs);

    const worse = await pair(test, wrongBy(60_000_000));
    const before = readFileSync(worse.guest);
    const [refused] = await alignSession([worse.host]);
    assert.match(refused?.failure?.message ?? '', /do not confirm the TIME_SHIFT/);
    assert.deepEqual(readFileSync(worse.guest), before);
  });

  it('takes the pings of a recording, and updates its trace.dat, too', async (test) => {
    const made = await recordings(test, machine);
    const out = await traceFiles(made, wrongBy(60_000_000));
    const [host, guest] = [`${out.host}.recording`, `${out.guest}.recording`];
    renameSync(made.host, host);
    renameSync(made.guest, guest);
    assert.deepEqual((await alignSession([host], { dryRun: true }))[0]?.written, []);
    assert.equal(readAlignment(guest), undefined);
    const [found] = await alignSession([`${host}/`]);
    assert.deepEqual(found?.written, [guest, out.guest]);
    assert.equal(statSync(join(guest, 'alignment.json')).mode & 0o777, 0o600);
    const [piece] = readAlignment(guest)!.pieces;
    assert.deepEqual([...piece!.methods].toSorted(), ['exclusion', 'ping']);
    for (const path of [guest, out.guest]) await assertTimes(path, piece!.boundNs);
  });

  it('takes the pauses that the file of a guest notes', async (test) => {
    // too brief for a TIME_SHIFT that may be wrong by 1 ms to show it
    const pause = { at: 5e8, ns: 3e5 };
    const paused = simulate({ ...options, faults: [{ kind: 'pause', ...pause }] });
    const noted = { from: pause.at - 2e4, to: pause.at + pause.ns + 2e4 };
    const made = await recordings(test, paused, { pauses: [noted] });
    const { host, guest } = await traceFiles(made, wrongBy(0, paused));
    const [found] = await alignSession([host]);
    assert.equal(found?.failure, undefined);
    const bounds = found!.alignment!.pieces.map(({ medianBoundNs }) => medianBoundNs);
    assert.equal(bounds.length, 2);
    for (const bound of bounds) assert.ok(bound < 100_000, `${bound}`);
    await assertTimes(guest, Math.max(...bounds), paused);
  });

  it('says what is missing', async (test) => {
    const made = await recordings(test, machine);
    writeFileSync(join(made.guest, pingsFile), '');
    const { host, guest } = await traceFiles(made);
    const why = async (...paths: string[]) => (await alignSession(paths))[0]?.failure?.message ?? '';
    assert.match(await why(host), /does not say how its clock differs/);
    assert.match(await why(made.host, made.guest), /does not say how its clock differs/);
    await assert.rejects(alignSession([guest]), /no file of a host/);
    renameSync(guest, join(dirname(guest), 'other.dat'));
    await assert.rejects(alignSession([host]), /s-web\.dat is missing/);
  });
});

describe('an earlier TIME_SHIFT', () => {
  const span = { first: 10n ** 12n, last: 10n ** 12n + 60n * 10n ** 9n };
  const sample = (time: bigint, offset: bigint) => ({ time, offset, scale: 1n, fractionBits: 0n });
  const shiftOf = (...cpu: ReturnType<typeof sample>[]) => ({ peerId: 1n, interpolates: true, cpus: [cpu] });

  it('is used all over the trace, but not between samples between which the clock jumped', () => {
    const seconds = [0n, 20n, 21n, 60n].map((second) => span.first + second * 10n ** 9n);
    const offsets = [5n, 5n, 10n ** 9n, 10n ** 9n];
    const earlier = EarlierShift.of(shiftOf(...seconds.map((time, at) => sample(time, offsets[at]!))), span)!;
    const pings = earlier.pings(1000);
    assert.ok(pings.length > 200 && pings.length < 250, `${pings.length}`);
    assert.ok(!pings.some(({ guest }) => guest > seconds[1]! && guest < seconds[2]!));
    for (const { hostBefore, guest, hostAfter } of pings) {
      const offset = guest <= seconds[1]! ? 5n : 10n ** 9n;
      assert.deepEqual([hostBefore, hostAfter], [guest + offset - 1000n, guest + offset + 1000n]);
    }
  });

  it('is assumed to be wrong by what it states, by 1 ms, or by more if its samples scatter or it was found to be', () => {
    const { first, last } = span;
    const even = shiftOf(sample(first, 0n), sample(last, 0n));
    const narrower = (shift: TimeShift, foundNs: number) => EarlierShift.of(shift, span)!.narrower(foundNs);
    assert.deepEqual(narrower(even, 1000), [1e6]);
    assert.deepEqual(narrower(even, 900_000), [1.8e6]);
    assert.deepEqual(narrower(even, 2e6), []);
    const quality = { boundNs: 30_000, medianBoundNs: 10, methods: ['ping'], samples: 1, violations: 0 };
    assert.deepEqual(narrower({ ...even, quality }, 1000), [30_000, 1e6]);
    assert.deepEqual(narrower({ ...even, quality }, 31_000), [1e6]);
    const odd = shiftOf(sample(first, 0n), sample((first + last) / 2n, 800_000n), sample(last, 0n));
    assert.deepEqual(narrower(odd, 1000), [1.6e6]);
    assert.equal(EarlierShift.of(odd, span)!.distance([{ guest: first, host: first - 7n }]), 7);
    assert.equal(EarlierShift.of({ ...even, cpus: [[], []] }, span), undefined);
  });

  it('with impossible numbers takes little time', () => {
    const wild = Array.from({ length: 200_000 }, (_, index) =>
      sample(BigInt(index) - 2n ** 62n, (-1n) ** BigInt(index) * 2n ** 62n),
    );
    const whole = { first: 0n, last: 2n ** 63n };
    const earlier = EarlierShift.of({ ...shiftOf(), cpus: [wild] }, whole)!;
    assert.ok(earlier.pings(1000).length <= 2 * 4098);
    assert.deepEqual(
      EarlierShift.of(shiftOf(...wild.slice(0, 3)), { first: 9n, last: 1n })!.pings(1).length,
      3,
    );
  });
});
