import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Alignment } from '../../../src/clock/align.ts';
import { breaksOf } from '../../../src/clock/pauses.ts';
import { thorough } from '../../set.ts';
import { aligned, errorsOf } from '../../simulator/observed.ts';
import { pausedMachine } from '../../simulator/told-pauses.ts';
import { busyMachine } from '../../simulator/recordings.ts';

describe('pauses that QEMU tells', () => {
  it('leave the bound true at every event', () => {
    const property = fc.property(fc.integer(), fc.double({ min: 0, max: 60, noNaN: true }), (seed, ppm) => {
      // the pings and the load of any machine
      const machine = pausedMachine({ ...busyMachine, seed, ratePpm: ppm, pingEveryNs: 1e9, pingRounds: 2 });
      const { pinged, refined } = aligned(machine, { breaks: machine.breaks });
      assert.equal(errorsOf(pinged, machine).lies, 0, 'by pings');
      assert.equal(errorsOf(refined, machine).lies, 0, 'with exclusion');
    });
    fc.assert(property, { numRuns: thorough(40) });
  });

  it('divide the relation where the guest stood still, although nobody saw when it last ran', () => {
    const ms = 1_000_000n;
    const pingsOf = (from: bigint, offset: bigint) =>
      [0n, 10n, 900n].map((at) => ({
        hostBefore: (from + at) * ms - 200_000n,
        guest: (from + at) * ms - offset,
        hostAfter: (from + at) * ms + 200_000n,
      }));
    const alignmentOf = (inner: object) => {
      const pings = [...pingsOf(1000n, 0n), ...pingsOf(2500n, 200n * ms)];
      const breaks = [{ hostFrom: 1920n * ms, hostTo: 2201n * ms, ...inner }];
      return Alignment.of({ pings, breaks })!.map;
    };
    // paused from 2000 to 2200 ms; the guest's clock showed 2000 ms
    const told = alignmentOf({ pausedFrom: 2001n * ms, pausedTo: 2200n * ms });
    assert.equal(told.pieces.length, 2);
    for (const [guest, host] of [
      [1995n, 1995n],
      [2003n, 2203n],
    ] as const) {
      const { ns, boundNs } = told.at(guest * ms);
      const error = Number(ns - host * ms);
      assert.ok(Math.abs(error) <= boundNs && boundNs < 2e6, `${guest}: ${error} of ${boundNs}`);
    }
    const untold = alignmentOf({});
    assert.ok(untold.at(1995n * ms).boundNs > 90e6, 'either side');
  });

  it('keep the pings on both sides, and only those', () => {
    const ping = (hostBefore: bigint, hostAfter: bigint, guest = hostBefore) => ({
      hostBefore,
      guest,
      hostAfter,
    });
    const pause = { hostFrom: 1000n, pausedFrom: 3000n, pausedTo: 9000n, hostTo: 12_000n };
    const used = (...pings: ReturnType<typeof ping>[]): number[] =>
      Alignment.of({ pings, breaks: [pause] })?.map.pieces.map(({ samples }) => samples) ?? [];
    // answered before it surely ended, and asked after it surely began
    assert.deepEqual(
      used(ping(0n, 2000n), ping(2000n, 8000n), ping(4000n, 13_000n, 9000n), ping(13_000n, 14_000n)),
      [2, 2],
    );
    // read before or after; while it was paused
    assert.deepEqual(used(ping(2000n, 13_000n), ping(4000n, 8000n)), []);
  });
});

describe('the pauses of a recording', () => {
  const recorded = { hostFrom: '100', pausedFrom: '200', pausedTo: '300', hostTo: '400' };
  const ping = (at: bigint) => ({ hostBefore: at, guest: 0n, hostAfter: at + 10n });

  it('become breaks', () => {
    assert.deepEqual(breaksOf([recorded]), [
      { hostFrom: 100n, pausedFrom: 200n, pausedTo: 300n, hostTo: 400n },
    ]);
    assert.deepEqual(breaksOf(undefined), []);
  });

  it('that do not say when the guest surely stood still, or contradict themselves, are periods only', () => {
    for (const times of [
      { pausedFrom: null },
      { pausedTo: null },
      { pausedFrom: '301' },
      { pausedTo: '401' },
    ])
      assert.deepEqual(breaksOf([{ ...recorded, ...times }]), [{ hostFrom: 100n, hostTo: 400n }]);
    assert.deepEqual(breaksOf([{ ...recorded, hostTo: '99' }]), []);
  });

  it('that did not end are none, unless the guest answers afterwards', () => {
    const open = { ...recorded, pausedTo: null, hostTo: null };
    assert.deepEqual(breaksOf([open], [ping(150n)]), []);
    assert.deepEqual(breaksOf([open], [ping(900n), ping(500n), ping(150n)]), [
      { hostFrom: 100n, hostTo: 510n },
    ]);
  });
});
