import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { maxEventBytes, TextBuffer } from '../../../../src/print/text/text-buffer.ts';
import { thorough } from '../../../set.ts';
import { eventPrinter, fieldNames, printContext, recordOf } from '../printing.ts';

const name = fc.constantFrom(...fieldNames);
const field = name.map((text) => `REC->${text}`);
const number = fc.constantFrom(
  '0',
  '1',
  '7',
  '64',
  '-1',
  '0xffffffffffffffff',
  '9999999999999999999999',
  '010',
);
const operator = fc.constantFrom(...'+ - * / % << >> < <= > >= == != & | && || ^'.split(' '));
const type = fc.constantFrom('u8', 'int', 'unsigned long', 's64', 'void *', 'struct x *', 'u32 *');

const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, depthSize: 'medium' },
    fc.oneof(field, number, fc.constant('"text"'), fc.constant("'c'"), fc.constant('HI_SOFTIRQ')),
    fc.tuple(tie('expression'), operator, tie('expression')).map(([a, op, b]) => `${a} ${op} ${b}`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([a, b, c]) => `${a} ? ${b} : ${c}`),
    tie('expression').map((a) => `(${a})`),
    fc.tuple(type, tie('expression')).map(([a, b]) => `(${a})(${b})`),
    fc.tuple(fc.constantFrom('!', '~', '-', '+', '*'), tie('expression')).map(([a, b]) => `${a}${b}`),
    fc.tuple(field, tie('expression')).map(([a, b]) => `${a}[(${b})]`),
    fc
      .tuple(
        fc.constantFrom(
          '__get_str',
          '__get_rel_str',
          '__get_dynamic_array',
          '__get_rel_dynamic_array',
          '__get_dynamic_array_len',
          '__get_bitmask',
          '__get_cpumask',
          '__get_sockaddr',
          'sizeof',
          'unknown',
        ),
        name,
      )
      .map(([a, b]) => `${a}(${b})`),
    tie('expression').map((a) => `__print_symbolic(${a}, { 0, "zero" }, { 1 | 2, "three" }, { -1, "" })`),
    tie('expression').map(
      (a) => `__print_flags(${a}, "|", { 1, "one" }, { 1ul << 63, "high" }, { 0, "none" })`,
    ),
    fc.tuple(field, tie('expression')).map(([a, b]) => `__print_hex(${a}, ${b})`),
    fc.tuple(name, tie('expression')).map(([a, b]) => `__print_hex_str(__get_dynamic_array(${a}), ${b})`),
    fc
      .tuple(name, tie('expression'), tie('expression'))
      .map(([a, b, c]) => `__print_array(__get_dynamic_array(${a}), ${b}, ${c})`),
    fc
      .tuple(
        fc.constantFrom('is_writable_pte', 'jiffies_to_msecs', 'xen_hypercall_name', '__le16_to_cpup'),
        tie('expression'),
      )
      .map(([a, b]) => `${a}(${b})`),
    fc
      .tuple(tie('expression'), name)
      .map(([a, b]) => `scsi_trace_parse_cdb(${a}, __get_dynamic_array(${b}), 9)`),
  ),
}));

const conversion = fc
  .tuple(
    fc.constantFrom('', '-', '0', '#', '+', '-0', ' '),
    fc.constantFrom('', '1', '12', '*', '4096', '99999999999'),
    fc.constantFrom('', '.', '.0', '.5', '.*', '.99999999999'),
    fc.constantFrom('', 'l', 'll', 'h', 'hh', 'z', 'L', 'lll', 'hhh'),
    fc.constantFrom(
      ...'duixXocspnf%'.split(''),
      'ps',
      'pS',
      'pF',
      'pI4',
      'pi6',
      'pI6c',
      'pISpfc',
      'pM',
      'pMR',
      'pUl',
      'ph',
      'phC',
    ),
  )
  .map((parts) => `%${parts.join('')}`);
const literal = fc.constantFrom(' ', 'text=', '0x', '\\n', '\\', '%%', '\x1b', 'é');

const wellFormed = fc
  .tuple(fc.array(fc.oneof(conversion, literal), { maxLength: 8 }), fc.array(expression, { maxLength: 10 }))
  .map(([text, args]) => [`"${text.join('')}"`, ...args].join(', '));
/** The same with a piece cut out, doubled or put elsewhere. */
const broken = fc.tuple(wellFormed, fc.nat(), fc.nat(), fc.nat()).map(([text, a, b, c]) => {
  const from = a % (text.length + 1);
  const to = from + (b % 40);
  const at = c % (text.length + 1);
  const piece = text.slice(from, to);
  return c % 2 === 0 ? text.slice(0, from) + text.slice(to) : text.slice(0, at) + piece + text.slice(at);
});

/** Records whose dynamic arrays are often within them. */
const data = fc
  .tuple(fc.uint8Array({ maxLength: 200 }), fc.nat(220), fc.nat(60), fc.nat(150), fc.nat(60))
  .map(([bytes, at, length, relative, relativeLength]) => {
    if (bytes.length < 32) return bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    view.setUint32(24, (length << 16) | at, true);
    view.setUint32(28, (relativeLength << 16) | relative, true);
    return bytes;
  });

/** What is printed, as the format says and as fields. */
function printed(format: string, bytes: Uint8Array, around: number): string {
  const printer = eventPrinter(format);
  const record = recordOf(bytes, around);
  const out = new TextBuffer(16);
  printer.print(record, out);
  out.endLine(0);
  printer.printRaw(record, out);
  return Buffer.from(out.bytes.subarray(0, out.length)).toString('latin1');
}

describe('hostile print formats', () => {
  for (const [kind, formats] of Object.entries({ wellFormed, broken }))
    it(`${kind} ones print within the record and in bounded length`, () => {
      fc.assert(
        fc.property(formats, data, (format, bytes) => {
          const text = printed(format, bytes, 0x40);
          assert.ok(text.length < 2 * maxEventBytes + 100);
          // a byte outside of the record that has an influence would change the text
          assert.equal(printed(format, bytes, 0xd5), text);
        }),
        { numRuns: thorough(20_000) },
      );
    });

  it('most well-formed ones are compiled', () => {
    const samples = fc.sample(wellFormed, 300);
    const compiled = samples.filter((format) => eventPrinter(format).failure === undefined).length;
    assert.ok(compiled > 5, `${compiled} of ${samples.length}`);
  });

  const big = Uint8Array.from({ length: 1000 }, () => 0x7f);

  it('nested operations take linear time', () => {
    const depth = 300;
    const nested = (open: string, inside: string, close: string): string =>
      `"%llx", ${open.repeat(depth)}${inside}${close.repeat(depth)}`;
    for (const format of [
      nested('(u8)(REC->b * ', '1', ')'),
      nested('REC->b & !(', 'REC->b', ')'),
      nested('REC->d[(', 'REC->b', ' >> 62)]'),
      nested('is_writable_pte((REC->b * ', '1', '))'),
      nested('(REC->b * REC->b ? ', '1', ' : REC->b)'),
    ]) {
      const out = new TextBuffer();
      // doubling the time at each level would take longer than the universe exists
      const printer = eventPrinter(format);
      assert.equal(printer.failure, undefined, format.slice(0, 30));
      printer.print(recordOf(big), out);
      assert.ok(out.length > 0);
    }
  });

  it('cut the text of one event at its limit, and mark it', () => {
    const many = 1000;
    const formats = {
      widths: `"${'%4096d'.repeat(many)}", ${'1,'.repeat(many)}1`,
      delimiters: `"%s", __print_flags(REC->b, "${'d'.repeat(300_000)}", ${Array.from({ length: 62 }, (_, bit) => `{ ${1n << BigInt(bit)}, "x" }`).join()})`,
      arrays: `"${'%s'.repeat(1000)}", ${Array.from({ length: 1000 }, () => '__print_hex(REC->t, 999)').join()}`,
    };
    for (const [kind, format] of Object.entries(formats)) {
      const printer = eventPrinter(format);
      assert.equal(printer.failure, undefined, kind);
      const out = new TextBuffer();
      printer.print(recordOf(big), out);
      const end = Buffer.from(out.bytes.subarray(out.length - 12, out.length)).toString('latin1');
      assert.match(end, /\[TOO LONG\]$/, kind);
      assert.equal(out.length, maxEventBytes + '[TOO LONG]'.length, kind);
    }
  });

  it('a NUL before or after the limit ends the line in it', () => {
    const out = new TextBuffer();
    out.spaces(5);
    out.cut();
    out.spaces(2 * maxEventBytes);
    assert.ok(out.isTooLong(0));
    out.endLine(0);
    assert.equal(out.length, 6);
    out.length = 0;
    out.spaces(2 * maxEventBytes);
    out.cut();
    assert.ok(out.isTooLong(0));
    out.endLine(0);
    assert.equal(out.length, maxEventBytes + '[TOO LONG]'.length + 1);
  });

  it('a format of very many conversions is not used: each may read the whole record and print nothing', () => {
    const masks = (count: number): string =>
      `"${'%.0s'.repeat(count)}", ${Array.from({ length: count }, () => '__get_bitmask(s)').join()}`;
    assert.equal(eventPrinter(masks(1000)).failure, undefined);
    assert.match(eventPrinter(masks(1001)).failure ?? '', /too many/);
  });

  it('all print formats together have a limit', () => {
    const context = { ...printContext(), budget: { left: 100 } };
    assert.equal(eventPrinter(`"${'x'.repeat(60)}"`, context).failure, undefined);
    assert.match(eventPrinter(`"${'x'.repeat(60)}"`, context).failure ?? '', /together/);
  });

  it('deep nesting is refused or printed, but never overflows the stack', () => {
    for (const piece of [
      '(',
      '(u8)',
      '!',
      '-',
      '(REC->a ? 1 : ',
      'REC->a[',
      '__print_flags(',
      'REC->a + ',
      '(1 + ',
      'sizeof(',
      '"x" ',
      'a ',
      '{',
      'REC->a ? ',
      '1 : ',
    ])
      for (const depth of [700, 1490, 100_000]) {
        const out = new TextBuffer();
        for (const end of ['1', `1${')'.repeat(depth)}`, `REC->b${' : 1'.repeat(depth)}`]) {
          const printer = eventPrinter(`"%d %s", ${piece.repeat(depth)}${end}`);
          printer.print(recordOf(big), out);
          printer.printRaw(recordOf(big), out);
        }
        assert.ok(out.length > 0);
      }
  });
});
