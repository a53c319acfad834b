import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { EventPrinter } from '../../../../src/print/event/event-printer.ts';
import { PrintFields } from '../../../../src/print/format/print-field.ts';
import { pluginHandlers } from '../../../../src/print/handlers/handlers.ts';
import { PrintkFormats } from '../../../../src/print/symbols/printk-formats.ts';
import { maxEventBytes, TextBuffer } from '../../../../src/print/text/text-buffer.ts';
import { parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import type { RecordData } from '../../../../src/trace/format/record-data.ts';
import { thorough } from '../../../set.ts';
import { eventPrinter, printContext } from '../printing.ts';

/** The record in a page that is otherwise filled with `fill`. */
function placed(bytes: Uint8Array, dataOffset: number, pageBytes: number, fill: number): RecordData {
  const page = new Uint8Array(pageBytes).fill(fill);
  page.set(bytes, dataOffset);
  return { page, view: new DataView(page.buffer), dataOffset, dataBytes: bytes.length };
}

/** What is beyond the record: bytes that would be text, a number or a NUL; or nothing, as at the end of a page. */
const surroundings: readonly ((bytes: Uint8Array) => RecordData)[] = [
  (bytes) => placed(bytes, 1000, 8192, 0x41),
  (bytes) => placed(bytes, 1004, 8192, 0),
  (bytes) => placed(bytes, 16, 16 + bytes.length, 0xff),
];

type Print = (record: RecordData, out: TextBuffer) => void;

/**
 * Prints records by a printer that is new for each surrounding, and checks that the text depends on the records only, and
 * is bounded.
 */
function checkPrinted(make: () => Print, records: readonly Uint8Array[]): void {
  const [first, ...others] = surroundings.map((surround) => {
    const print = make();
    const out = new TextBuffer(64);
    for (const bytes of records) {
      const start = out.length;
      print(surround(bytes), out);
      assert.ok(out.length - start < 2 * maxEventBytes + 100, `${out.length - start} bytes for one event`);
      out.endLine(start);
    }
    return Buffer.from(out.bytes.subarray(0, out.length)).toString('latin1');
  });
  for (const other of others) assert.equal(other, first);
}

function line(declaration: string, offset: number, size: number): string {
  return `\tfield:${declaration};\toffset:${offset};\tsize:${size};\tsigned:0;`;
}

function formatText(name: string, own: readonly string[], printFormat = '"x"'): string {
  const common = [line('unsigned short common_type', 0, 2), line('int common_pid', 4, 4)].join('\n');
  return `name: ${name}\nID: 9\nformat:\n${common}\n\n${own.join('\n')}\n\nprint fmt: ${printFormat}\n`;
}

/** Some end after few arguments of trace_printk. */
const data = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 24, maxLength: 44 }));
const records = fc.array(data, { minLength: 1, maxLength: 4 });

/** Formats of trace_printk. */
const conversion = fc
  .tuple(
    fc.constantFrom('', '', '-', '0', '+', '#'),
    fc.constantFrom('', '', '*', '7', '4096', '99999999999'),
    fc.constantFrom('', '', '.*', '.3', '.99999999999'),
    fc.constantFrom('', 'h', 'hh', 'l', 'll', 'L', 'z', 'llll'),
    fc.constantFrom(...'d u i x X o s c p pS pf pM pI4 pI6c pISpc pUb phC q % *d n'.split(' '), 's', 's', ''),
  )
  .map((parts) => `%${parts.join('')}`);
const formatString = fc
  .array(fc.oneof(conversion, conversion, fc.constantFrom('text ', '\\n', '\\', '%%', '"', '0x')), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''));

/** Fields that the handlers of plugins look for. */
const pluginFields =
  'ip parent_ip count ts caller size buf id prev_comm prev_pid prev_prio prev_state next_comm next_pid next_prio ' +
  'comm pid prio success target_cpu exit_reason guest_rip isa info1 info2 vcpu_id rip csbase len insn flags failed ' +
  'role root_count unsync created sptes hrtimer now function expires softexpires call_site ptr reason pages ' +
  'op uaddr val utime uaddr2 val3 changed';

describe('hostile records', () => {
  it('trace_printk prints of the record only, for any format and arguments', () => {
    const address = 0xffffffff82000000n;
    const fields = [
      line('unsigned long ip', 8, 8),
      line('const char * fmt', 16, 8),
      line('u32 buf[]', 24, 0),
    ];
    const format = parseEventFormat(
      'ftrace',
      formatText('bprint', fields, '"%ps: %s", (void *)REC->ip, REC->fmt'),
    );
    fc.assert(
      fc.property(formatString, records, (text, all) => {
        for (const bytes of all)
          if (bytes.length >= 24)
            new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(16, address, true);
        const printk = new PrintkFormats(Buffer.from(`0x${address.toString(16)} : "${text}"\n`, 'latin1'));
        const context = { ...printContext(), printkFormats: () => printk };
        checkPrinted(() => {
          const printer = new EventPrinter(format, context);
          return (record, out) => printer.print(record, out);
        }, all);
      }),
      { numRuns: thorough(20_000) },
    );
  });

  it('handlers of plugins print of the record only, wherever their fields are', () => {
    const place = fc.tuple(fc.nat(310), fc.constantFrom(0, 1, 2, 4, 8, 15, 16, 4000));
    const names = pluginFields.split(' ');
    const places = fc.array(place, { minLength: names.length, maxLength: names.length });
    fc.assert(
      fc.property(fc.constantFrom(...pluginHandlers), places, records, ([fullName, make], where, all) => {
        const [system = '', name = ''] = fullName.split(':');
        const fields = names.map((field, index) => {
          const [offset, size] = where[index]!;
          return line(size > 8 ? `char ${field}[${size}]` : `u64 ${field}`, 8 + offset, size);
        });
        const format = parseEventFormat(system, formatText(name, fields));
        checkPrinted(() => {
          const handler = make({
            fields: new PrintFields(format, 8),
            context: printContext(),
            options: { parent: true, indent: true, offset: true, tailprint: true, depth: true },
            writeTime: (out, time) => out.string(String(time)),
          });
          return (record, out) => void handler(record, out, { cpu: 0, timestamp: 5n });
        }, all);
      }),
      { numRuns: thorough(20_000) },
    );
  });

  const repeated = (count: number, conversions: string, arg: string): string =>
    `"${conversions.repeat(count)}", ${Array.from({ length: count }, () => arg).join()}`;
  const long: Readonly<Record<string, string>> = {
    'a text in pieces': '"a" '.repeat(250_000),
    'a text of 10 MB': `"${'x'.repeat(1e7)}"`,
    'wide numbers': repeated(80_000, '%4096d', '1'),
    'wide numbers by an argument': repeated(40_000, '%*d', '99999, 1'),
    'the same text again and again, not shown': repeated(1000, '%.0s', '__get_str(s)'),
    'the same mask again and again, not shown': repeated(1000, '%.0s', '__get_bitmask(s)'),
    'a list of names': `"%s", __print_flags(REC->b, "|", ${'{ 1, "abc" },'.repeat(60_000)}{ 2, "x" })`,
    'a long number': `"%d", ${'9'.repeat(1e6)}`,
    'zeros before a letter': `"%${'0'.repeat(1e6)}d", 1`,
    'length modifiers': `"%${'l'.repeat(1e6)}d", 1`,
    'percent signs': `"${'%'.repeat(1e6)}", 1`,
    'stars without arguments': `"${'%*'.repeat(400_000)}d", 1`,
    'conversions without arguments': `"${'%d'.repeat(400_000)}"`,
    'white space': `"%d", REC${' \n'.repeat(400_000)}->a`,
  };
  for (const [what, text] of Object.entries(long))
    it(`${what}: a bounded text in bounded time`, () => {
      const bytes = new Uint8Array(4000).fill(0x61);
      new DataView(bytes.buffer).setUint32(24, (3000 << 16) | 900, true);
      checkPrinted(() => {
        const printer = eventPrinter(text);
        return (record, out) => printer.print(record, out);
      }, [bytes]);
    });
});
