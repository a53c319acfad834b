import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { alignRecordings } from '../../../src/clock/align-recordings.ts';
import { alignTsc, tscClock } from '../../../src/clock/align-tsc.ts';
import { shiftedTimeOf } from '../../../src/trace/events/shifted-time.ts';
import { openTrace } from '../../../src/trace/open.ts';
import {
  alignmentFile,
  formatAlignment,
  formatPing,
  pingsFile,
  timeShiftOf,
} from '../../../src/trace/recording/clock-files.ts';
import { formatRecording, readRecording } from '../../../src/trace/recording/recording-format.ts';
import { madeRecording, switchData } from '../analysis/made-trace.ts';

const sec = 2_500_000_000n;

/** A guest's TSC, as KVM computes it. */
function guestTsc(host: bigint, offset: bigint, ratio: bigint, bits: number): bigint {
  return BigInt.asUintN(64, ((host * ratio) >> BigInt(bits)) + offset);
}

describe('a guest with the TSC of its host', () => {
  it('has exact times, also after a reader has interpolated them', () => {
    const scale = fc.constantFrom(48, 32).chain((bits) => {
      const one = 2 ** bits;
      return fc.tuple(
        fc.constant(bits),
        fc.double({ min: 0.5, max: 2, noNaN: true }).map((ratio) => BigInt(Math.round(ratio * one))),
      );
    });
    const property = fc.property(
      scale,
      fc.bigInt({ min: 1n, max: 2n ** 55n }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 20 }),
      ([bits, ratio], from, seconds, parts) => {
        // the guest was booted just before
        const offset = -((from * ratio) >> BigInt(bits)) + sec;
        const hosts = parts.map((part) => from + BigInt(Math.floor(part * seconds * Number(sec))));
        const guests = hosts.map((host) => guestTsc(host, offset, ratio, bits));
        const sorted = guests.toSorted((a, b) => Number(a - b));
        const recorded = { offset: String(offset), ratio: String(ratio), fractionBits: bits };
        const aligned = alignTsc(recorded, { first: sorted[0]!, last: sorted.at(-1)! }, []);
        assert.ok(aligned);
        const { boundNs } = aligned.pieces[0]!;
        const shifted = shiftedTimeOf(timeShiftOf({ peerId: 1n, ...aligned }, 1), 0);
        for (const [index, guest] of guests.entries()) {
          const error = Math.abs(Number(shifted!.at(guest) - hosts[index]!));
          assert.ok(error <= boundNs, `${error} of ${boundNs}`);
        }
        assert.ok(boundNs <= 4);
      },
    );
    fc.assert(property);
  });

  it('is not converted if a ping contradicts', () => {
    const recorded = { offset: '-1000', ratio: null, fractionBits: null };
    const span = { first: 0n, last: 10_000n };
    const ping = { hostBefore: 4000n, guest: 3050n, hostAfter: 4100n };
    assert.equal(alignTsc(recorded, span, [ping])?.pieces[0]?.samples, 1);
    assert.equal(alignTsc(recorded, span, [ping, { ...ping, guest: 2999n }]), undefined);
    assert.equal(alignTsc(recorded, span, [ping, { ...ping, guest: 3101n }]), undefined);
  });

  it('gets cycles of the host in its recording', async (test) => {
    const at = (ns: number) => ({ cpu: 0, ns, pid: 1, data: switchData(1, 0n, 2) });
    const host = await madeRecording(test, [at(5000), at(9000)], tscClock);
    const guest = await madeRecording(test, [at(1500), at(4500)], tscClock);
    const tsc = { offset: '-4000', ratio: null, fractionBits: null };
    const guests = [{ name: 'web', traceId: '2', pid: 1, vcpus: [] }];
    for (const [dir, more] of [
      [host, { traceId: '1', guests }],
      [guest, { traceId: '2', tsc }],
    ] as const)
      writeFileSync(join(dir, 'recording.json'), formatRecording({ ...(await readRecording(dir)), ...more }));
    appendFileSync(join(guest, pingsFile), formatPing({ hostBefore: 5990n, guest: 2000n, hostAfter: 6010n }));
    const [alignment] = await alignRecordings(host, [guest]);
    assert.ok(alignment);
    assert.deepEqual(
      alignment.pieces.map(({ methods, offsetNs, boundNs, ratePpm }) => [
        methods,
        offsetNs,
        boundNs,
        ratePpm,
      ]),
      [[['tsc'], 4000n, 0, 0]],
    );
    writeFileSync(join(guest, alignmentFile), formatAlignment(alignment));
    const trace = await openTrace(guest);
    const times: bigint[] = [];
    for await (const batch of trace.events()) for (const { timestamp } of batch) times.push(timestamp);
    await trace.close();
    assert.deepEqual(times, [5500n, 8500n]);
    // on the host's side, only nanoseconds are known
    writeFileSync(
      join(host, 'recording.json'),
      formatRecording({ ...(await readRecording(host)), clock: 'boot' }),
    );
    assert.deepEqual(await alignRecordings(host, [guest]), [undefined]);
  });
});
