import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { hostTsc, tscBound, tscToNs } from '../../../src/clock/tsc.ts';

const word = fc.bigInt({ min: 0n, max: 2n ** 63n });
const offset = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('the TSC of a guest', () => {
  it('gives the TSC of the host', () => {
    fc.assert(
      fc.property(word, offset, (host, offset) => {
        const guest = BigInt.asUintN(64, host + offset);
        assert.equal(hostTsc(guest, { offset }), host);
      }),
    );
  });

  it('does so when it is scaled, to within its bound', () => {
    // 48 fraction bits on Intel, 32 on AMD; the guest at half to twice the host's rate
    const scale = fc.constantFrom(48, 32).chain((fractionBits) => {
      const one = 2n ** BigInt(fractionBits);
      return fc.bigInt({ min: one / 2n, max: 2n * one }).map((ratio) => ({ ratio, fractionBits }));
    });
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n }), offset, scale, (host, offset, scale) => {
        const guest = BigInt.asUintN(64, ((host * scale.ratio) >> BigInt(scale.fractionBits)) + offset);
        const later = Number(host - hostTsc(guest, { offset, ...scale }));
        assert.ok(later >= 0 && later <= tscBound({ offset, ...scale }), `${later}`);
      }),
    );
  });

  it('becomes nanoseconds as the kernel makes them', () => {
    // 2.4 GHz: mult and shift of the kernel, in cycles of one hour
    const mult = Math.round((2 ** 22 * 1e9) / 2.4e9);
    assert.equal(tscToNs(2_400_000_000n * 3600n, { mult, shift: 22, offset: 5n }) / 10_000_000n, 360_000n);
    assert.equal(tscToNs(0n, { mult, shift: 22, offset: 5n }), 5n);
  });
});
