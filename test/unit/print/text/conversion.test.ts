import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { TextBuffer } from '../../../../src/print/text/text-buffer.ts';
import { thorough } from '../../../set.ts';
import { eventPrinter, recordOf } from '../printing.ts';

const flags = fc.subarray(['-', '#', '0']).map((each) => each.join(''));
const width = fc.constantFrom('', '1', '5', '30');
const precision = fc.constantFrom('', '.', '.0', '.3', '.25');

const number = fc.tuple(
  fc
    .tuple(
      flags,
      width,
      precision,
      fc.constantFrom('', 'h', 'hh', 'l', 'll', 'z'),
      fc.constantFrom('d', 'u', 'i', 'x', 'X', 'o'),
    )
    .map((parts) => parts.join('')),
  fc.oneof(
    fc.bigInt(-(1n << 63n), (1n << 63n) - 1n),
    fc.bigInt(-5n, 300n),
    fc.constantFrom(0n, -1n, -(1n << 63n)),
  ),
);
const text = fc.tuple(
  fc.tuple(fc.constantFrom('', '-'), width, precision, fc.constant('s')).map((parts) => parts.join('')),
  fc.stringMatching(/^[a-z]{0,16}$/),
);

function ours(spec: string, value: bigint | string): string {
  const data = Buffer.alloc(128);
  if (typeof value === 'bigint') data.writeBigInt64LE(value, 16);
  else data.write(value, 32);
  const out = new TextBuffer(16);
  const arg = typeof value === 'bigint' ? 'REC->b' : 'REC->t';
  eventPrinter(`"%${spec}|", ${arg}`).print(recordOf(data), out);
  return Buffer.from(out.bytes.subarray(0, out.length)).toString('latin1');
}

/** Bits of an integer by its length modifiers. */
const bitsOf: Readonly<Record<string, number>> = { '': 32, h: 16, hh: 8 };

/** Real printf, of one process for all. A shell's has only one size of integers, so that it gets what C would cut. */
function theirs(cases: readonly (readonly [spec: string, value: bigint | string])[]): string[] {
  const words = cases.flatMap(([spec, value]) => {
    const bits = bitsOf[/[lhz]*(?=.$)/.exec(spec)?.[0] ?? ''] ?? 64;
    let number = value;
    if (typeof value === 'bigint')
      number = /[di]$/.test(spec) ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    return [`%${spec.replaceAll(/[lhz]/g, '')}|\\n`, String(number)];
  });
  const script = 'while [ $# -gt 0 ]; do printf -- "$1" "$2"; shift 2; done';
  const { stdout, status, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], {
    encoding: 'latin1',
  });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').slice(0, -1);
}

describe('conversions print what printf prints', () => {
  for (const [kind, arbitrary] of Object.entries({ number, text }))
    it(kind, () => {
      const cases = fc.sample<readonly [string, bigint | string]>(arbitrary, thorough(20_000));
      const expected = theirs(cases);
      assert.equal(expected.length, cases.length);
      for (const [index, [spec, value]] of cases.entries())
        assert.equal(ours(spec, value), expected[index], `%${spec} of ${value}`);
    });

  it('a width or precision that is an argument may be negative', () => {
    const data = Buffer.alloc(128);
    data.writeInt32LE(-6, 8);
    data.write('abc', 32);
    const cases = {
      '"%*s|", REC->a, REC->t': 'abc   |',
      '"%.*s|", REC->a, REC->t': 'abc|',
      '"%*d|", 5, REC->a': '   -6|',
    };
    for (const [format, expected] of Object.entries(cases)) {
      const out = new TextBuffer(16);
      eventPrinter(format).print(recordOf(data), out);
      assert.equal(Buffer.from(out.bytes.subarray(0, out.length)).toString('latin1'), expected, format);
    }
  });
});
