import { convert, type ConvertSettings } from '../../src/trace/convert/convert.ts';
import { parseMetadata } from '../../src/trace/metadata/guest-metadata.ts';
import { type MadeEvent, pagesOf } from '../unit/analysis/made-trace.ts';
import { sampleContents, writeRaws } from '../unit/trace/samples.ts';

/** The value of a field: a dynamic array's bytes are put behind the fields. */
export type FieldValue = number | bigint | string | readonly number[];

/** An event type that no kernel has, or one of a kernel with other contents, and its records. */
export interface MadeType {
  /** `system:event` */
  readonly name: string;
  /** Declarations as in a format file, e.g. `u32 a; char comm[16]; __data_loc char[] name`. */
  readonly fields: string;
  /** What follows `print fmt: `. */
  readonly format: string;
  /** Values in the order of the fields; those that are left out are 0. */
  readonly records: readonly (readonly FieldValue[])[];
  /** The thread of each record; by default 1234. */
  readonly pids?: readonly number[];
}

const firstId = 5000;
const commonBytes = 8;
const commonFields = [
  '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
  '\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;',
  '\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;',
  '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;',
].join('\n');

interface Layout {
  readonly declaration: string;
  readonly offset: number;
  readonly bytes: number;
  readonly isSigned: boolean;
  readonly place: 'static' | 'data' | 'relative';
}

function typeBytes(type: string): number {
  if (type.includes('*') || /long|64|size_t/.test(type)) return 8;
  if (/short|16/.test(type)) return 2;
  return /char|u8|s8|bool/.test(type) ? 1 : 4;
}

function layoutOf(fields: string): Layout[] {
  let end = commonBytes;
  return fields
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((declaration) => {
      const place = declaration.startsWith('__data_loc')
        ? 'data'
        : declaration.startsWith('__rel_loc')
          ? 'relative'
          : 'static';
      const type = declaration.replace(/\w+(\[\d*\])?$/, '');
      const element = place === 'static' ? typeBytes(type) : 4;
      const count = place === 'static' ? /\[(\d*)\]$/.exec(declaration)?.[1] : undefined;
      const bytes = count === undefined ? element : element * Number(count);
      const offset = Math.ceil(end / element) * element;
      end = offset + bytes;
      const isSigned = !/unsigned|u\d|\*|bool|_loc/.test(type);
      return { declaration, offset, bytes, isSigned, place };
    });
}

function formatFile(type: MadeType, id: number): Buffer {
  const fields = layoutOf(type.fields).map(
    ({ declaration, offset, bytes, isSigned }) =>
      `\tfield:${declaration};\toffset:${offset};\tsize:${bytes};\tsigned:${isSigned ? 1 : 0};\n`,
  );
  const name = type.name.split(':')[1];
  return Buffer.from(
    `name: ${name}\nID: ${id}\nformat:\n${commonFields}\n\n${fields.join('')}\nprint fmt: ${type.format}\n`,
    'latin1',
  );
}

function bytesOf(value: FieldValue): Buffer {
  if (typeof value === 'string') return Buffer.from(value, 'latin1');
  return Buffer.from(Array.isArray(value) ? value : []);
}

function recordOf(type: MadeType, id: number, values: MadeType['records'][number]): Buffer {
  const layout = layoutOf(type.fields);
  const fixed = Math.max(commonBytes, ...layout.map(({ offset, bytes }) => offset + bytes));
  const behind: Buffer[] = [];
  let end = Math.ceil(fixed / 4) * 4;
  const record = Buffer.alloc(end);
  for (const [index, { offset, bytes, place }] of layout.entries()) {
    const value = values[index] ?? 0;
    if (place !== 'static') {
      const own = typeof value === 'object' || typeof value === 'string' ? bytesOf(value) : undefined;
      const from = place === 'relative' ? end - offset - 4 : end;
      record.writeUInt32LE(own === undefined ? Number(value) : (from | (own.length << 16)) >>> 0, offset);
      if (own === undefined) continue;
      behind.push(own);
      end += own.length;
    } else if (typeof value === 'object' || typeof value === 'string') {
      bytesOf(value).copy(record, offset, 0, bytes);
    } else {
      const whole = Buffer.alloc(8);
      whole.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
      whole.copy(record, offset, 0, Math.min(bytes, 8));
    }
  }
  const all = Buffer.concat([record, ...behind]);
  // records of the ring buffer are a multiple of 4 bytes
  const padded = Buffer.concat([all, Buffer.alloc(-all.length & 3)]);
  padded.writeUInt16LE(id, 0);
  return padded;
}

/** What `kallsyms`, `printk_formats` and `saved_cmdlines` contain. */
export interface MadeTexts {
  readonly kallsyms?: string;
  readonly printkFormats?: string;
  readonly savedCmdlines?: string;
}

/** Writes a trace.dat of one CPU with the records of all types, in their order, 1 µs apart. */
export async function writeMadeTypes(
  dir: string,
  types: readonly MadeType[],
  texts: MadeTexts,
  settings: ConvertSettings,
): Promise<void> {
  const kept = [...(await sampleContents('A'))].filter(
    ([name]) => name.startsWith('events/header_') || name === 'trace_clock',
  );
  const contents = new Map(kept);
  contents.set('kallsyms', Buffer.from(texts.kallsyms ?? '', 'latin1'));
  contents.set('printk_formats', Buffer.from(texts.printkFormats ?? '', 'latin1'));
  contents.set('saved_cmdlines', Buffer.from(texts.savedCmdlines ?? '', 'latin1'));
  const events: MadeEvent[] = [];
  for (const [index, type] of types.entries()) {
    const id = firstId + index;
    contents.set(`events/${type.name.replace(':', '/')}/format`, formatFile(type, id));
    for (const [at, values] of type.records.entries()) {
      const data = recordOf(type, id, values);
      data.writeInt32LE(type.pids?.[at] ?? 1234, 4);
      events.push({ cpu: 0, ns: 1_000_000_000 + events.length * 1000, pid: 1234, data });
    }
  }
  const cpus = writeRaws(dir, { 0: pagesOf(events) });
  await convert({ cpus, metadata: parseMetadata(contents), ...settings });
}
