import { writeFileSync } from 'node:fs';
import { bodiesOf } from '../../src/trace/dat/write/bodies.ts';
import { ByteWriter } from '../../src/trace/dat/write/byte-writer.ts';
import { magic } from '../../src/trace/dat/ids.ts';
import { parseMetadata } from '../../src/trace/metadata/guest-metadata.ts';
import { sampleContents } from '../unit/trace/samples.ts';
import { type MadeRecord, madeRecord } from './made-fields.ts';

/** One event with its own format. */
export interface Case {
  /** Says what the case is about. */
  readonly what: string;
  /** `system:name`; without it an event that no plugin knows. */
  readonly event?: string;
  /** As `madeRecord` reads them. */
  readonly fields: string;
  /** What follows `print fmt:`. */
  readonly print: string;
}

/** Functions of the traced kernel, in each of these files. */
const kallsyms = [
  '0000000000001000 A absolute_symbol',
  'ffffffff81000000 T first_function',
  'ffffffff81000100 t second_function',
  'ffffffff81000100 T second_alias',
  'ffffffff81000200 T third_function\t[some_module]',
  'ffffffff81000300 t $mark',
  'ffffffff81000400 T last_function',
  '',
].join('\n');

const printkFormats = [
  '0xffffffff82000000 : "number %d of %s\\n"',
  '0xffffffff82000040 : "wide %llx %lu %5d|%-5d|"',
  '0xffffffff82000080 : "pointers %p %pS %ps"',
  '0xffffffff820000c0 : "address %pI4 and %d"',
  '0xffffffff82000100 : "star %*d and %.*s"',
  '0xffffffff82000140 : "text of the kernel"',
  '0xffffffff82000180 : "%hhd %hd %zu %c"',
  '',
].join('\n');

const cmdlines = '42 a-task\n';
const pid = 42;
const firstId = 2000;
const pageBytes = 4096;
const pageHeadBytes = 16;
/** Between two cases, so that a report's lines can be told apart by their seconds. */
const nsOfCase = 1_000_000_000;

/** Writes a trace.dat of version 6 with an event for each case. Cases must not declare one event in two ways. */
export async function writeCases(file: string, cases: readonly Case[]): Promise<void> {
  const sample = await sampleContents('A');
  const contents = new Map([...sample].filter(([name]) => /^events\/header_|^events\/ftrace\//.test(name)));
  const records = cases.map((each, index) => place(each, index, contents));
  contents.set('kallsyms', Buffer.from(kallsyms));
  contents.set('printk_formats', Buffer.from(printkFormats));
  contents.set('saved_cmdlines', Buffer.from(cmdlines));
  const metadata = parseMetadata(contents);
  const head = new ByteWriter().bytes(magic).string('6').u8(0).u8(8).u32(pageBytes);
  for (const { content } of bodiesOf(metadata)) head.bytes(content);
  head.u32(1).string('options  ').u16(0).string('flyrecord');
  const dataAt = Math.ceil((head.length + 16) / pageBytes) * pageBytes;
  const pages = records.map((made, index) => pageOf(made.data, (index + 1) * nsOfCase));
  head.u64(dataAt).u64(pages.length * pageBytes);
  head.bytes(new Uint8Array(dataAt - head.length));
  for (const page of pages) head.bytes(page);
  writeFileSync(file, head.finish());
}

/** `system:name` of a case. */
export function eventOf({ event }: Case, index: number): string {
  return event ?? `made:case_${index}`;
}

function place(each: Case, index: number, contents: Map<string, Buffer>): MadeRecord {
  const [system = '', name = ''] = eventOf(each, index).split(':');
  const path = `events/${system}/${name}/format`;
  const known = contents.get(path)?.toString('latin1') ?? '';
  const id = Number(/^ID: (\d+)$/m.exec(known)?.[1] ?? firstId + index);
  const made = madeRecord(id, pid, each.fields);
  const text = [
    `name: ${name}`,
    `ID: ${id}`,
    'format:',
    '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
    '\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;',
    '\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;',
    '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;',
    '',
    ...made.lines,
    '',
    `print fmt: ${each.print}`,
    '',
  ].join('\n');
  contents.set(path, Buffer.from(text, 'latin1'));
  return made;
}

/** A page with one record in the long form, which holds any size. */
function pageOf(data: Buffer, ns: number): Uint8Array {
  const page = new Uint8Array(pageBytes);
  const view = new DataView(page.buffer);
  view.setBigUint64(0, BigInt(ns), true);
  view.setBigUint64(8, BigInt(data.length + 8), true);
  view.setUint32(pageHeadBytes, 0, true);
  view.setUint32(pageHeadBytes + 4, data.length + 4, true);
  page.set(data, pageHeadBytes + 8);
  return page;
}

/** Splits cases so that no file declares an event in two ways. */
export function filesOf(cases: readonly Case[]): Case[][] {
  const files: { cases: Case[]; formats: Map<string, string> }[] = [];
  for (const each of cases) {
    const shape = `${each.fields.replaceAll(/ = [^;]*/g, '')} ${each.print}`;
    const file = files.find(({ formats }) => {
      const known = each.event === undefined ? undefined : formats.get(each.event);
      return known === undefined || known === shape;
    });
    const target = file ?? { cases: [], formats: new Map<string, string>() };
    if (file === undefined) files.push(target);
    target.cases.push(each);
    if (each.event !== undefined) target.formats.set(each.event, shape);
  }
  return files.map((file) => file.cases);
}

/** What a report of a file with cases has after each event's name, in the order of the cases. */
export function textsOf(report: string): (string | undefined)[] {
  const texts: (string | undefined)[] = [];
  const pieces = report.split(/^(?= +\S+-42 +(?:\[\d+\]| \d+).*? \d+\.\d{6}: )/m);
  for (const piece of pieces) {
    const found = /^ +\S+-42 .*? (\d+)\.\d{6}: (\w+): ([^]*)\n$/.exec(piece);
    if (found === null) continue;
    const [, second = '', name = '', rest = ''] = found;
    texts[Number(second) - 1] = rest.slice(Math.max(0, 20 - name.length));
  }
  return texts;
}
