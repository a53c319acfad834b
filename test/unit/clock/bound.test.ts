import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { ClockMap } from '../../../src/clock/map/clock-map.ts';
import { MapCursor } from '../../../src/clock/map/map-cursor.ts';
import { thorough } from '../../set.ts';
import { anyMachine, troubles } from '../../simulator/any-machine.ts';
import { type MachineOptions, type Simulated, simulate } from '../../simulator/machine.ts';
import { type Aligned, aligned, errorsOf } from '../../simulator/observed.ts';

/** A guest under some load, as QEMU runs it without KVM. */
const usual: MachineOptions = {
  seed: 1,
  durationNs: 8e9,
  hostCpus: 2,
  vcpus: 2,
  ratePpm: 120,
  wanderPpm: 0,
  faults: [],
  onNs: 5e5,
  offNs: 5e5,
  betweenEventsNs: 5e5,
  entryNs: 2e4,
  missing: 0.1,
  hidden: 0.002,
  loss: 0.002,
  pingEveryNs: 1e9,
  pingRounds: 10,
  pingNs: 5e5,
};

describe('the bound of a clock map', () => {
  for (const trouble of troubles)
    it(`holds at every event of any machine: ${trouble}`, () => {
      const property = fc.property(fc.integer(), (seed) => {
        const machine = anyMachine(seed, trouble);
        const { pinged, refined } = aligned(machine, { breaks: machine.breaks });
        assert.equal(errorsOf(pinged, machine).lies, 0, 'by pings');
        assert.equal(errorsOf(refined, machine).lies, 0, 'with exclusion');
      });
      fc.assert(property, { numRuns: thorough(200) });
    });

  it('holds for machines with which it once was too narrow', () => {
    for (const [trouble, seed] of [
      // a jump within a window, seen late, or far from the time in question
      ['one', 159],
      ['one', 423],
      ['one', 718],
      ['one', 213],
      ['one', 231],
      ['one', 777],
      // most stretches are too short to be used, so that most of the others are false
      ['told', 200_587],
    ] as const) {
      const machine = anyMachine(seed, trouble);
      const { pinged, refined } = aligned(machine, { breaks: machine.breaks });
      assert.equal(errorsOf(pinged, machine).lies + errorsOf(refined, machine).lies, 0, `${seed}`);
    }
  });

  it('is some tens of microseconds for a guest under load, where pings give hundreds', () => {
    const machine = simulate(usual);
    const { pinged, refined } = aligned(machine);
    const [before, after] = [errorsOf(pinged, machine), errorsOf(refined, machine)];
    assert.ok(before.meanBoundNs > 60e3, `${before.meanBoundNs}`);
    assert.ok(after.meanBoundNs < 30e3, `${after.meanBoundNs}`);
    assert.ok(after.meanErrorNs < 5e3, `${after.meanErrorNs}`);
    const [piece] = refined.pieces;
    assert.deepEqual(piece?.methods, ['ping', 'exclusion']);
    assert.ok(piece.medianBoundNs < 30e3 && piece.boundNs > 100e3, `${piece.medianBoundNs} ${piece.boundNs}`);
    assert.ok(piece.violations > 0 && piece.violations < piece.samples * 20, `${piece.violations}`);
    assert.ok(Math.abs((piece?.ratePpm ?? 0) + 120) < 2, `${piece?.ratePpm}`);
  });

  /** The host is traced from one part of the machine's time to another. */
  const tracedFrom = <Machine extends Simulated>(machine: Machine, from: number, to: number): Machine => {
    const endNs = machine.switches.at(-1)?.time ?? 0;
    const switches = machine.switches.filter(({ time }) => time >= from * endNs && time <= to * endNs);
    return { ...machine, switches };
  };

  it('is that of pings where the host was not traced: it must be as long as its guest', () => {
    const machine = simulate(usual);
    const meanOf = ({ refined }: Aligned, from: number, to: number): number => {
      const { length } = machine.events;
      const events = machine.events.slice(from * length, to * length);
      return errorsOf(refined, { ...machine, events }).meanBoundNs;
    };
    const shorter = aligned(tracedFrom(machine, 0.3, 0.9));
    const whole = aligned(machine);
    for (const [from, to, isTraced] of [
      [0.1, 0.25, false],
      [0.45, 0.75, true],
      [0.93, 0.96, false],
    ] as const) {
      const [mean, ofWhole] = [meanOf(shorter, from, to), meanOf(whole, from, to)];
      assert.ok(ofWhole < 15e3, `${ofWhole}`);
      if (isTraced) assert.ok(mean < 15e3, `${mean}`);
      else assert.ok(mean > 30e3, `${mean}`);
    }
  });

  it('holds if the host was traced for a part of the time only', () => {
    const property = fc.property(
      fc.integer(),
      fc.constantFrom(...troubles),
      fc.double({ min: 0, max: 0.6, noNaN: true }),
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      (seed, trouble, from, length) => {
        const machine = tracedFrom(anyMachine(seed, trouble), from, from + length);
        const { refined } = aligned(machine, { breaks: machine.breaks });
        assert.equal(errorsOf(refined, machine).lies, 0);
      },
    );
    fc.assert(property, { numRuns: thorough(100) });
  });

  it('is as narrow with single pings that take tens of milliseconds', () => {
    const median = ({ pieces }: ClockMap): number => pieces[0]!.medianBoundNs;
    for (const [pingNs, offNs] of [
      [1e7, 5e5],
      [3e7, 5e5],
      // of which the first exclusion uses few
      [1e7, 1e5],
    ] as const) {
      const slow = simulate({ ...usual, pingRounds: 1, pingNs, offNs });
      const { pinged, once, refined } = aligned(slow);
      const text = [pinged, once, refined].map(median).join();
      assert.ok(median(pinged) > 5e6 && median(refined) < 30e3, text);
      if (offNs < 2e5) assert.ok(median(once) > 1.4 * median(refined), text);
    }
    const property = fc.property(
      fc.integer(),
      // of several jumps that pings do not show, the bound covers one
      fc.constantFrom('none' as const, 'one' as const, 'told' as const),
      fc.integer({ min: 1, max: 4 }),
      fc.double({ min: 1e6, max: 3e7, noNaN: true }),
      (seed, trouble, pingRounds, pingNs) => {
        const machine = anyMachine(seed, trouble, { pingRounds, pingNs });
        const maps = aligned(machine, { breaks: machine.breaks });
        assert.equal(errorsOf(maps.pinged, machine).lies, 0, 'by pings');
        assert.equal(errorsOf(maps.refined, machine).lies, 0, 'with exclusion');
      },
    );
    fc.assert(property, { numRuns: thorough(200) });
  });

  it('that is stated is that of the time with events', () => {
    const machine = simulate(usual);
    const { length } = machine.events;
    const events = machine.events.slice(length / 8, length / 4);
    const span = { first: events[0]!.guest, last: events.at(-1)!.guest };
    // a slow one, long after the events
    const pings = machine.pings.filter(({ guest }) => guest < span.last + 1_200_000_000n);
    const last = machine.pings.at(-1)!;
    pings.push({
      ...last,
      hostBefore: last.hostBefore - 20_000_000n,
      hostAfter: last.hostAfter + 20_000_000n,
    });
    const some = { ...machine, events, pings };
    const [all] = aligned(some).refined.pieces;
    const [own] = aligned(some, { span }).refined.pieces;
    const text = `${own!.medianBoundNs} ${own!.boundNs}, ${all!.medianBoundNs} ${all!.boundNs}`;
    assert.ok(own!.medianBoundNs < 0.8 * all!.medianBoundNs, text);
    assert.ok(own!.boundNs < 2e6 && all!.boundNs > 5e6, text);
    const bounds = { boundNs: 0, medianBoundNs: 0 };
    assert.deepEqual({ ...own, ...bounds }, { ...all, ...bounds });
  });

  it('uses nothing of a vCPU whose thread is another one', () => {
    const machine = simulate(usual);
    const { pinged, refined } = aligned({ ...machine, tids: machine.tids.toReversed() });
    assert.deepEqual(refined.segments, pinged.segments);
    assert.equal(errorsOf(refined, machine).lies, 0);
  });

  it('is the same for a cursor, in any order of times', () => {
    const machine = simulate({ ...usual, faults: [{ kind: 'pause', at: 3e9, ns: 2e8 }] });
    const { refined: map } = aligned(machine);
    const { guestOrigin, hostOrigin } = machine.clock;
    const cursor = new MapCursor(map, guestOrigin, hostOrigin);
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 10e9 }), (time) => {
        const { ns, boundNs } = map.at(guestOrigin + BigInt(time));
        cursor.seek(time);
        assert.ok(Math.abs(cursor.host - Number(ns - hostOrigin)) <= 2, `${cursor.host} ${ns - hostOrigin}`);
        assert.ok(Math.abs(cursor.bound - boundNs) <= 4, `${cursor.bound} ${boundNs}`);
      }),
      { numRuns: 2000 },
    );
  });
});
