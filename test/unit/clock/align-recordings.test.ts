import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { alignRecordings } from '../../../src/clock/align-recordings.ts';
import { fewerSamples } from '../../../src/clock/map/fewer-samples.ts';
import { openTrace } from '../../../src/trace/open.ts';
import { alignmentFile, formatAlignment, pingsFile } from '../../../src/trace/recording/clock-files.ts';
import { simulate } from '../../simulator/machine.ts';
import { aligned } from '../../simulator/observed.ts';
import { busyMachine, hostLeadNs, recordings } from '../../simulator/recordings.ts';
import * as fc from 'fast-check';

describe('the recordings of a host and a guest', () => {
  it('are aligned: the events of the guest then have the times of the host, within the bound', async (test) => {
    const machine = simulate(busyMachine);
    const { host, guest } = await recordings(test, machine);
    const [alignment] = await alignRecordings(host, [guest]);
    assert.ok(alignment);
    assert.equal(alignment.peerId, 1n);
    const [piece] = alignment.pieces;
    assert.ok(piece && alignment.pieces.length === 1);
    assert.deepEqual([...piece.methods].toSorted(), ['exclusion', 'ping']);
    assert.ok(
      piece.medianBoundNs > 0 && piece.medianBoundNs < piece.boundNs / 2,
      JSON.stringify(alignment.pieces, String),
    );
    assert.ok(Math.abs(piece.ratePpm - 80) < 20, `${piece.ratePpm}`);
    writeFileSync(join(guest, alignmentFile), formatAlignment(alignment));

    const trace = await openTrace(guest);
    const { hostOrigin } = machine.clock;
    const truth = machine.events
      .map((event) => event.host - hostOrigin + hostLeadNs)
      .sort((a, b) => Number(a - b));
    let at = 0;
    for await (const batch of trace.events())
      for (const { timestamp } of batch) {
        const error = Math.abs(Number(timestamp - truth[at++]!));
        assert.ok(error <= piece.boundNs * (1 + 1 / 64), `event ${at}: ${error} ns`);
      }
    assert.equal(at, truth.length);
    await trace.close();
  });

  it('without pings are not aligned, and keep their own times', async (test) => {
    const { host, guest } = await recordings(test, simulate(busyMachine));
    writeFileSync(join(guest, pingsFile), '');
    assert.deepEqual(await alignRecordings(host, [guest]), [undefined]);
  });
});

describe('samples that others give, too, are left out', () => {
  it('and those that are kept are near all of them', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: 1e9 }),
            fc.integer({ min: -5000, max: 5000 }),
            fc.integer({ min: 0, max: 1e6 }),
          ),
          {
            minLength: 2,
            maxLength: 60,
          },
        ),
        (steps) => {
          let guest = 0n;
          let host = 10n ** 15n;
          const samples = steps.map(([step, drift, boundNs]) => {
            guest += BigInt(step);
            host += BigInt(step + drift);
            return { guest, host, leastBoundNs: boundNs };
          });
          const kept = fewerSamples(samples);
          assert.equal(kept[0], samples[0]);
          assert.equal(kept.at(-1), samples.at(-1));
          for (const sample of samples) {
            const after = kept.findIndex((each) => each.guest >= sample.guest);
            const [low, high] = [kept[Math.max(0, after - 1)]!, kept[after]!];
            const share =
              high === low ? 0 : Number(sample.guest - low.guest) / Number(high.guest - low.guest);
            const drift = Number(high.host - low.host - (high.guest - low.guest)) * share;
            const onLine = Number(low.host - sample.host) + Number(sample.guest - low.guest) + drift;
            assert.ok(
              Math.abs(onLine) <= Math.max(1, sample.leastBoundNs / 64) + 1e-3,
              `${onLine} of ${sample.leastBoundNs}`,
            );
          }
        },
      ),
    ));

  it('so that at any time the line between them is near the map, by its bound there', () => {
    const machine = simulate(busyMachine);
    const { refined } = aligned(machine);
    const kept = fewerSamples(refined.samples());
    for (const { guest: time } of machine.events) {
      const after = kept.findIndex(({ guest }) => guest >= time);
      if (after < 1) continue;
      const [from, to] = [kept[after - 1]!, kept[after]!];
      const onLine = from.host + ((time - from.guest) * (to.host - from.host)) / (to.guest - from.guest);
      const { ns, boundNs } = refined.at(time);
      assert.ok(Math.abs(Number(onLine - ns)) <= boundNs / 64 + 2, `${onLine - ns} of ${boundNs}`);
    }
  });

  it('of a clock that runs evenly only the ends are kept', () => {
    const samples = Array.from({ length: 1000 }, (_, index) => ({
      guest: BigInt(index) * 1_000_000_000n,
      host: BigInt(index) * 1_000_012_345n,
      leastBoundNs: 1000,
    }));
    assert.deepEqual(fewerSamples(samples), [samples[0], samples[999]]);
  });
});
