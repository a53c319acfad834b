import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Failure } from '../../../../src/base/failure.ts';
import type { Candidate } from '../../../../src/trace/filter/candidate.ts';
import { compileFilter } from '../../../../src/trace/filter/compile.ts';
import { parseEventFormat } from '../../../../src/trace/format/event-format.ts';

const common = [
  '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
  '\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;',
  '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;',
];

function format(name: string, id: number, fields: readonly string[]) {
  const text = [`name: ${name}`, `ID: ${id}`, 'format:', ...common, '', ...fields, '', 'print fmt: ""'].join(
    '\n',
  );
  return parseEventFormat('sys', text);
}

/** All sizes of numbers, and the kinds of texts. */
const all = format('all', 1, [
  '\tfield:u8 a;\toffset:8;\tsize:1;\tsigned:0;',
  '\tfield:s8 b;\toffset:9;\tsize:1;\tsigned:1;',
  '\tfield:u16 c;\toffset:10;\tsize:2;\tsigned:0;',
  '\tfield:s32 d;\toffset:12;\tsize:4;\tsigned:1;',
  '\tfield:u64 e;\toffset:16;\tsize:8;\tsigned:0;',
  '\tfield:s64 f;\toffset:24;\tsize:8;\tsigned:1;',
  '\tfield:char text[8];\toffset:32;\tsize:8;\tsigned:0;',
  '\tfield:__data_loc char[] far;\toffset:40;\tsize:4;\tsigned:0;',
  '\tfield:void * ip;\toffset:44;\tsize:8;\tsigned:0;',
  '\tfield:u8 key[4];\toffset:52;\tsize:4;\tsigned:0;',
  '\tfield:u32 g;\toffset:56;\tsize:4;\tsigned:0;',
]);
const other = format('other', 2, ['\tfield:u32 only;\toffset:8;\tsize:4;\tsigned:0;']);
const formats = [all, other];
const names = {
  task: (pid: number) => (pid === 7 ? 'seven' : undefined),
  functionAt: (address: bigint) => (address === 0x1000n ? 'start' : undefined),
};

interface Numbers {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: bigint;
  readonly f: bigint;
  readonly g: number;
}

function record(numbers: Partial<Numbers> = {}, text = '', far = '', cut?: number): Candidate {
  const page = new Uint8Array(128);
  const view = new DataView(page.buffer);
  const at = 20;
  view.setUint16(at, 1, true);
  view.setInt32(at + 4, 7, true);
  view.setUint8(at + 8, numbers.a ?? 0);
  view.setInt8(at + 9, numbers.b ?? 0);
  view.setUint16(at + 10, numbers.c ?? 0, true);
  view.setInt32(at + 12, numbers.d ?? 0, true);
  view.setBigUint64(at + 16, numbers.e ?? 0n, true);
  view.setBigInt64(at + 24, numbers.f ?? 0n, true);
  view.setUint32(at + 56, numbers.g ?? 0, true);
  page.set(Buffer.from(text).subarray(0, 8), at + 32);
  view.setUint32(at + 40, (far.length << 16) | 60, true);
  view.setBigUint64(at + 44, 0x1000n, true);
  page.set([0x6b, 0x65, 0x79, 0], at + 52);
  page.set(Buffer.from(far), at + 60);
  return {
    cpu: 3,
    pid: 7,
    timestamp: 5_000_000_000n,
    cursor: { page, view, dataOffset: at, dataBytes: cut ?? 60 + far.length },
  };
}

function passes(condition: string, event: Candidate): boolean {
  return compileFilter(`all: ${condition}`, formats, names).get(1)!(event);
}

type Tree =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'field'; readonly name: keyof Numbers }
  | {
      readonly kind: 'calculate' | 'compare' | 'logic';
      readonly op: string;
      readonly left: Tree;
      readonly right: Tree;
    }
  | { readonly kind: 'not'; readonly of: Tree };

const { condition } = fc.letrec<{ value: Tree; condition: Tree }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc
      .oneof(
        fc.bigInt(0n, 300n),
        fc.constantFrom(1n << 31n, (1n << 32n) - 1n, (1n << 64n) - 1n, (1n << 63n) + 1n),
      )
      .map((value): Tree => ({ kind: 'number', value })),
    fc
      .constantFrom<keyof Numbers>('a', 'b', 'c', 'd', 'e', 'f', 'g')
      .map((name): Tree => ({ kind: 'field', name })),
    fc.record({
      kind: fc.constant('calculate' as const),
      op: fc.constantFrom('+', '-', '*', '/', '%', '<<', '>>', '&', '|', '^'),
      left: tie('value'),
      right: tie('value'),
    }),
  ),
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({
      kind: fc.constant('compare' as const),
      op: fc.constantFrom('==', '!=', '<', '>', '<=', '>='),
      left: tie('value'),
      right: tie('value'),
    }),
    fc.record({
      kind: fc.constant('logic' as const),
      op: fc.constantFrom('&&', '||'),
      left: tie('condition'),
      right: tie('condition'),
    }),
    tie('condition').map((of): Tree => ({ kind: 'not', of })),
  ),
}));

function written(tree: Tree): string {
  switch (tree.kind) {
    case 'number':
      return tree.value % 2n === 0n ? String(tree.value) : `0x${tree.value.toString(16)}`;
    case 'field':
      return tree.name;
    case 'not':
      return `!(${written(tree.of)})`;
    case 'calculate':
    case 'compare':
    case 'logic':
      return `(${written(tree.left)})${tree.op} (${written(tree.right)})`;
    default:
      return tree satisfies never;
  }
}

const big = 1n << 64n;
const wrap = (value: bigint): bigint => ((value % big) + big) % big;

/** Evaluates by the definition alone: numbers as C's unsigned long long; undefined for a division by zero. */
function evaluated(tree: Tree, numbers: Numbers): bigint | undefined {
  if (tree.kind === 'number') return tree.value;
  if (tree.kind === 'field') return wrap(BigInt(numbers[tree.name]));
  if (tree.kind === 'not') return evaluated(tree.of, numbers) === 1n ? 0n : 1n;
  const left = evaluated(tree.left, numbers);
  const right = evaluated(tree.right, numbers);
  if (tree.kind === 'logic')
    return (tree.op === '&&' ? left === 1n && right === 1n : left === 1n || right === 1n) ? 1n : 0n;
  if (left === undefined || right === undefined) return tree.kind === 'compare' ? 0n : undefined;
  const truth: Readonly<Record<string, boolean>> = {
    '==': left === right,
    '!=': left !== right,
    '<': left < right,
    '>': left > right,
    '<=': left <= right,
    '>=': left >= right,
  };
  if (tree.kind === 'compare') return truth[tree.op]! ? 1n : 0n;
  const results: Readonly<Record<string, () => bigint>> = {
    '+': () => left + right,
    '-': () => left - right,
    '*': () => left * right,
    '/': () => left / right,
    '%': () => left % right,
    '<<': () => left * 2n ** (right % 64n),
    '>>': () => left / 2n ** (right % 64n),
    '&': () => left & right,
    '|': () => left | right,
    '^': () => left ^ right,
  };
  if ((tree.op === '/' || tree.op === '%') && right === 0n) return undefined;
  return wrap(results[tree.op]!());
}

const numbers: fc.Arbitrary<Numbers> = fc.record({
  a: fc.nat(255),
  b: fc.integer({ min: -128, max: 127 }),
  c: fc.nat(65_535),
  d: fc.integer(),
  g: fc.nat(2 ** 32 - 1),
  e: fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, big - 1n)),
  f: fc.oneof(fc.bigInt(-300n, 300n), fc.bigInt(-(1n << 63n), (1n << 63n) - 1n)),
});

describe('compileFilter', () => {
  it('passes what the definition of the language passes', () => {
    fc.assert(
      fc.property(condition, numbers, (tree, numbers) => {
        assert.equal(passes(written(tree), record(numbers)), evaluated(tree, numbers) === 1n, written(tree));
      }),
      { numRuns: 2000 },
    );
  });

  it('compares a field with a constant as unsigned 64 bits, on either side', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<keyof Numbers>('a', 'b', 'c', 'd', 'e', 'f', 'g'),
        fc.constantFrom('==', '!=', '<', '>', '<=', '>='),
        fc.oneof(
          fc.bigInt(0n, 300n),
          fc.bigInt(0n, 1n << 34n),
          fc.bigInt(0n, big - 1n),
          fc.bigInt(big - 300n, big - 1n),
        ),
        numbers,
        (name, op, constant, numbers) => {
          const field: Tree = { kind: 'field', name };
          const number: Tree = { kind: 'number', value: constant };
          for (const [left, right] of [
            [field, number],
            [number, field],
          ] as const) {
            const tree: Tree = { kind: 'compare', op, left, right };
            assert.equal(
              passes(written(tree), record(numbers)),
              evaluated(tree, numbers) === 1n,
              written(tree),
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('finds negative numbers with a minus sign, which compare above all others', () => {
    assert.ok(passes('d == -11', record({ d: -11 })));
    assert.ok(passes('f >= -4095', record({ f: -2n })));
    assert.ok(!passes('f >= -4095', record({ f: 2n })));
    assert.ok(!passes('d < 0', record({ d: -11 })));
  });

  it('binds && and || equally, from left to right, ! to one comparison, and arithmetic before comparisons', () => {
    const event = record({ a: 1, c: 5 });
    assert.ok(!passes('a == 1 || c == 5 && c == 6', event));
    assert.ok(passes('a == 1 || (c == 5 && c == 6)', event));
    assert.ok(!passes('!a == 2 && c == 6', event));
    assert.ok(passes('c & 4 == 4 && c + 1 * 2 == 7', event));
    assert.ok(passes('c & 4 && !(c & 2) && a', event));
    assert.ok(passes('010 == 8 && 0x10==16', event));
  });

  it('compares texts exactly or with an expression, also bytes and names that are no fields', () => {
    const event = record({ b: 65 }, 'swapper', 'far away');
    for (const condition of [
      'text == "swapper"',
      "'swapper' == text",
      'text != "Swapper"',
      'text =~ "^SWAP"',
      'text !~ "x"',
      'far == "far away"',
      'key == "key"',
      'ip == "start" && ip =~ "^st"',
      'd == "0x0"',
      "b == 'A' && b < 'B'",
      'COMM == "seven"',
      'PID == 7 && CPU == 3',
      'TIMESTAMP == 5000000000',
      '!(COMM != "seven")',
    ])
      assert.ok(passes(condition, event), condition);
    assert.ok(passes(String.raw`text == "a\"b"`, record({}, 'a"b')));
  });

  it('is false for what a record is too short for, whatever the comparison', () => {
    const event = record({}, 'text', '', 12);
    for (const op of ['==', '!=', '<', '>', '<=', '>=']) {
      assert.ok(!passes(`d ${op} 5`, event));
      assert.ok(!passes(`f ${op} 5`, event));
      assert.ok(!passes(`d + 1 ${op} 5`, event));
    }
    for (const op of ['==', '!=', '=~', '!~']) {
      assert.ok(!passes(`text ${op} "x"`, event));
      assert.ok(!passes(`far ${op} "x"`, event));
      assert.ok(!passes(`ip ${op} "x"`, event));
    }
  });

  it('names events by expressions, and is false where an event lacks a field', () => {
    const ids = (filter: string): number[] =>
      [...compileFilter(filter, formats, names).keys()].sort((a, b) => a - b);
    assert.deepEqual(ids('all'), [1]);
    assert.deepEqual(ids('sys'), [1, 2]);
    assert.deepEqual(ids('SYS/o.*, all'), [1, 2]);
    assert.deepEqual(ids('nope/o.*,sys/all'.slice(9)), [1]);
    const tests = compileFilter('sys: only == 0 || a == 0', formats, names);
    assert.ok(tests.get(1)!(record()));
    assert.ok(!compileFilter('sys: only != 0 && a == 0', formats, names).get(1)!(record()));
    assert.ok(compileFilter('sys: !(only == 0) && a == 0', formats, names).get(1)!(record()));
  });

  it('says what is wrong, where, and what to do', () => {
    const wrong: readonly (readonly [filter: string, message: RegExp, remedy: RegExp])[] = [
      ['', /missing event name at character 1$/, /start with an event/],
      ['all,: a == 1', /missing event name at character 5$/, /start/],
      ['aal', /unknown event "aal" at character 1$/, /did you mean .*"all"/],
      ['all, sys/othr', /unknown event "sys\/othr" at character 6$/, /did you mean "sys\/other"/],
      ['a[: a == 1', /"a\[" is not a regular expression: \[ without \]/, /./],
      ['all:', /unexpected end at character 5$/, /sched_switch/],
      ['all: aa == 1', /no such event has a field "aa" at character 6$/, /did you mean "a"/],
      ['all: other', /"other" is an event, not a field at character 6$/, /system\/event/],
      ['all: a = 1', /unexpected "=" at character 8$/, /==/],
      ['all: text ~ "x"', /unexpected "~" at character 11$/, /=~/],
      ['all: a == 1 b', /unexpected "b" at character 13$/, /&&/],
      ['all: (a == 1', /the \( at character 6 is not closed at character 13$/, /add \)/],
      ['all: a == 1)', /unexpected "\)" at character 12$/, /./],
      ['all: a == "x', /unterminated string at character 11$/, /add "/],
      ['all: text == 1', /"text" is not a number at character 6$/, /in quotes/],
      ['all: text < "x"', /cannot compare strings with < at character 11$/, /=~/],
      ['all: text =~ x', /not a regular expression at character 14$/, /quotes/],
      ['all: text =~ "[x"', /"\[x" is not a regular expression/, /backslash/],
      ['all: a == 1x', /"1x" is not a number at character 11$/, /decimal/],
      ['all: a == 18446744073709551616', /too large at character 11$/, /64 bits/],
      ['all: a < c < 5', /unexpected "<" at character 12$/, /&&/],
      ['all: (a == 1) + 1', /comparison or arithmetic on a condition at character 9$/, /&&/],
      ['all: "x"', /a string alone is not a condition at character 6$/, /compare/],
      ['all: COMM == 1', /COMM is a string at character 6$/, /quotes/],
      ['all: CPU == "x"', /CPU is a number at character 6$/, /number/],
      [`all: ${'('.repeat(101)}a${')'.repeat(101)}`, /more than 100 levels at character 106$/, /fewer/],
      [`all: ${'a+'.repeat(600)}a`, /more than 1000 words and operators/, /split/],
      [`all: ${' '.repeat(9000)}a`, /more than 8192 characters/, /split/],
    ];
    for (const [filter, message, remedy] of wrong)
      assert.throws(
        () => compileFilter(filter, formats, names),
        (error: unknown) => {
          assert.ok(error instanceof Failure, filter);
          assert.equal(error.exitCode, 2);
          assert.match(error.message, message);
          assert.match(error.remedy, remedy);
          return true;
        },
      );
  });

  it('of any words is a filter or a Failure, and its test ends', () => {
    const words =
      `a e f text far only COMM CPU 1 0x8 "s.*" 'x' ( ) ! && || == != < =~ !~ + - / % << & | = ~ [ \\ " \u0000`.split(
        ' ',
      );
    const word = fc.constantFrom(...words);
    const event = record({ a: 3, e: 1n << 63n }, 'ssssssss', 'x');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), (words) => {
        try {
          const tests = compileFilter(`all,other: ${words.join(' ')}`, formats, names);
          for (const test of tests.values()) assert.equal(typeof test(event), 'boolean');
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});
