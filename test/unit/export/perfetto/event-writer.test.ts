import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventTypeOf, type GenericForm } from '../../../../src/export/perfetto/event-type.ts';
import { writeEvent } from '../../../../src/export/perfetto/event-writer.ts';
import { ProtoWriter } from '../../../../src/export/perfetto/proto-writer.ts';
import { type EventFormat, parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { fieldsOf } from './proto-reader.ts';

function formatOf(system: string, name: string, ...lines: string[]): EventFormat {
  const head = '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n';
  return parseEventFormat(
    system,
    `name: ${name}\nID: 7\nformat:\n${head}\n${lines.map((line) => `\t${line}\n`).join('')}`,
  );
}

function field(declaration: string, offset: number, size: number, signed = 0): string {
  return `field:${declaration};\toffset:${offset};\tsize:${size};\tsigned:${signed};`;
}

/** The event's own message, written with the bytes of a record somewhere in a page. */
function written(
  format: EventFormat | undefined,
  record: Uint8Array,
  form: GenericForm = 'descriptor',
): { readonly number: number; readonly fields: [number, bigint | Uint8Array][] } {
  const page = new Uint8Array(64 + record.length).fill(0xee);
  page.set(record, 24);
  const out = new ProtoWriter();
  const data = { page, view: new DataView(page.buffer), dataOffset: 24, dataBytes: record.length };
  writeEvent(out, eventTypeOf(7, format, form), 5n, 9, data);
  const [[bundleField, event] = [0, 0n], ...more] = fieldsOf(out.view());
  assert.deepEqual([bundleField, more], [2, []]);
  assert.ok(event instanceof Uint8Array);
  const [time, pid, [number, message] = [0, 0n]] = fieldsOf(event);
  assert.deepEqual(
    [time, pid],
    [
      [1, 5n],
      [2, 9n],
    ],
  );
  assert.ok(message instanceof Uint8Array);
  return { number, fields: fieldsOf(message) };
}

function text(value: bigint | Uint8Array | undefined): string {
  assert.ok(value instanceof Uint8Array);
  return new TextDecoder('utf-8', { fatal: true }).decode(value);
}

describe('an event for Perfetto', () => {
  it('has integers of every size, signed and not', () => {
    const sizes = [1, 2, 4, 8];
    const lines = sizes.flatMap((size, index) => [
      field(`s${size * 8} s${size}`, 8 + index * 16, size, 1),
      field(`u${size * 8} u${size}`, 16 + index * 16, size),
    ]);
    const { fields } = written(formatOf('x', 'y', ...lines), new Uint8Array(80).fill(0xff));
    const expected = sizes.flatMap((size) => [(1n << 64n) - 1n, (1n << BigInt(size * 8)) - 1n]);
    assert.deepEqual(
      fields.map(([, value]) => value),
      expected,
    );
  });

  it('has arrays as decimal numbers and bytes as hexadecimal', () => {
    const format = formatOf(
      'x',
      'y',
      field('unsigned long args[2]', 8, 16),
      field('struct in6_addr addr', 24, 16),
    );
    const record = new Uint8Array(40).map((_, index) => index);
    record.fill(0xff, 8, 16);
    const { fields } = written(format, record);
    assert.equal(text(fields[0]?.[1]), `[18446744073709551615,${String(0x1716151413121110n)}]`);
    assert.equal(text(fields[1]?.[1]), '18191a1b1c1d1e1f2021222324252627');
  });

  it('ends a text at its first NUL, and replaces what is not UTF-8', () => {
    const format = formatOf('x', 'y', field('char a[8]', 8, 8, 1), field('char b[8]', 16, 8, 1));
    const record = new Uint8Array(24);
    record.set(new TextEncoder().encode('ab\0cdé'), 8);
    record.fill(0xff, 16);
    const { fields } = written(format, record);
    assert.deepEqual(
      fields.map(([, value]) => text(value)),
      ['ab', '\ufffd'.repeat(8)],
    );
  });

  it('leaves out a field that lies or points beyond the record', () => {
    const format = formatOf(
      'x',
      'y',
      field('__data_loc char[] name', 8, 4, 1),
      field('int far', 4096, 4, 1),
      field('int near', 12, 4, 1),
    );
    const record = new Uint8Array(16);
    new DataView(record.buffer).setUint32(8, (100 << 16) | 12, true);
    assert.deepEqual(written(format, record).fields, [[3, 0n]]);
  });

  it('takes an event for a known one only with fields of the known kinds', () => {
    const comm = field('char comm[16]', 8, 16, 1);
    const good = formatOf('sched', 'sched_wakeup', comm, field('pid_t pid', 24, 4, 1));
    assert.deepEqual(written(good, new Uint8Array(28)), {
      number: 17,
      fields: [
        [1, new Uint8Array()],
        [2, 0n],
      ],
    });
    const odd = formatOf('sched', 'sched_wakeup', comm, field('char pid[4]', 24, 4, 1));
    assert.equal(written(odd, new Uint8Array(28)).number, 65_536 + 7);
    const other = formatOf('mine', 'sched_wakeup', comm);
    assert.equal(written(other, new Uint8Array(28)).number, 65_536 + 7, 'of another system');
  });

  it('reports fields that have no place', () => {
    const fork = formatOf(
      'sched',
      'sched_process_exit',
      field('char comm[16]', 8, 16, 1),
      field('bool group_dead', 24, 1),
    );
    assert.deepEqual(eventTypeOf(7, fork, 'descriptor').dropped, ['group_dead']);
    const many = formatOf(
      'x',
      'y',
      ...Array.from({ length: 33 }, (_, index) => field(`u8 f${index}`, 8 + index, 1)),
    );
    assert.deepEqual(eventTypeOf(7, many, 'descriptor').dropped, ['f31', 'f32']);
    const numbers = written(many, new Uint8Array(41)).fields.map(([number]) => number);
    assert.deepEqual(
      numbers,
      Array.from({ length: 31 }, (_, index) => index + 1),
    );
    assert.deepEqual(eventTypeOf(7, many, 'named').dropped, []);
  });

  it('has the bytes of an event without a format', () => {
    const record = Uint8Array.of(7, 0, 1, 2);
    const described = written(undefined, record);
    assert.equal(described.number, 65_536 + 7);
    assert.equal(text(described.fields[0]?.[1]), '07000102');
    const named = written(undefined, record, 'named');
    assert.equal(named.number, 327);
    assert.equal(text(named.fields[0]?.[1]), '#7');
    const inner = named.fields[1]?.[1];
    assert.ok(inner instanceof Uint8Array);
    assert.deepEqual(
      fieldsOf(inner).map(([number, value]) => [number, text(value)]),
      [
        [1, 'data'],
        [3, '07000102'],
      ],
    );
  });
});
