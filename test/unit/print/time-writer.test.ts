import assert from 'node:assert/strict';
import test from 'node:test';
import { maxDistance, type TimeForm, TimeWriter } from '../../../src/print/report/time-writer.ts';
import { TextBuffer } from '../../../src/print/text/text-buffer.ts';

function written(write: (out: TextBuffer) => void): string {
  const out = new TextBuffer(8);
  write(out);
  return Buffer.from(out.bytes.subarray(0, out.length)).toString('latin1');
}

function times(form: TimeForm, ...all: readonly bigint[]): string[] {
  const writer = new TimeWriter(form);
  return all.map((time) => written((out) => writer.write(out, time)));
}

/** What a time is in microseconds, by exact arithmetic: rounded half up. */
function exact(time: bigint): string {
  const us = (time + 500n) / 1000n;
  return `${String(us / 1_000_000n).padStart(5)}.${String(us % 1_000_000n).padStart(6, '0')}`;
}

test('microseconds are rounded, up to the next second', () => {
  assert.deepEqual(times('us', 0n, 499n, 500n, 1499n, 1500n, 999_999_499n, 999_999_500n, 1_000_000_499n), [
    '    0.000000',
    '    0.000000',
    '    0.000001',
    '    0.000001',
    '    0.000002',
    '    0.999999',
    '    1.000000',
    '    1.000000',
  ]);
});

test('nanoseconds and raw numbers are not rounded', () => {
  assert.deepEqual(times('ns', 1n, 999_999_999n, 123_456_000_000_007n), [
    '    0.000000001',
    '    0.999999999',
    '123456.000000007',
  ]);
  assert.deepEqual(times('raw', 1n, 123_456_789_012n, (1n << 64n) - 1n), [
    '           1',
    '123456789012',
    '18446744073709551615',
  ]);
});

test('times beyond 2^53 are exact, also around a second', () => {
  for (const base of [1n << 53n, (1n << 60n) + 1n, (1n << 63n) - 1n, (1n << 64n) - 2_000_000_000n]) {
    const second = (base / 1_000_000_000n) * 1_000_000_000n;
    const around = [base, base + 1n, second - 501n, second - 500n, second - 1n, second, second + 1n];
    assert.deepEqual(times('us', ...around), around.map(exact));
  }
});

test('times that step back and far away are exact', () => {
  const all = [5n, 1n << 62n, 0n, BigInt(maxDistance), BigInt(maxDistance) * 2n + 1n, 3_000_000_499n];
  assert.deepEqual(times('us', ...all), all.map(exact));
});

test('times after an origin are those of their sum', () => {
  const origins = [0n, 1_700_000_000_123_456_789n, (1n << 63n) + 1n, 7n, 1_700_000_000_123_456_789n];
  for (const form of ['us', 'ns', 'raw'] as const) {
    const writer = new TimeWriter(form);
    for (const origin of origins)
      for (const distance of [0, 1, 499, 500, 999_999_500, 2 ** 40, 0, 2 ** 53 - 1]) {
        const found = written((out) => writer.writeAfter(out, origin, distance));
        const [expected] = times(form, origin + BigInt(distance));
        assert.equal(found, expected, `${form}: ${origin} + ${distance}`);
      }
  }
});
