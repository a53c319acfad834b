import { join } from 'node:path';
import { convert } from '../../src/trace/convert/convert.ts';
import { parseMetadata } from '../../src/trace/metadata/guest-metadata.ts';
import { type MadeEvent, pagesOf } from '../unit/analysis/made-trace.ts';
import { sampleContents, writeRaws } from '../unit/trace/samples.ts';
import type { Case } from './cases/case.ts';
import { type MadeFields, madeFields } from './made-fields.ts';

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

const savedCmdlines = '42 a-task\n7 seven\n';
const pid = 42;
const firstId = 2000;
/** Records are 1 µs apart, so that a report's lines can be told apart by their times. */
const firstUs = 1_000_000;

/** Writes a trace.dat with the records of all cases, in `dir`. Cases must not declare one event in two ways. @returns its path */
export async function writeCases(dir: string, cases: readonly Case[]): Promise<string> {
  const sample = await sampleContents('A');
  const contents = new Map(
    [...sample].filter(([name]) => /^events\/(?:header_|ftrace\/)|^trace_clock$/.test(name)),
  );
  contents.set('kallsyms', Buffer.from(kallsyms));
  contents.set('printk_formats', Buffer.from(printkFormats));
  contents.set('saved_cmdlines', Buffer.from(savedCmdlines));
  const events: MadeEvent[] = [];
  for (const [index, each] of cases.entries()) {
    const fields = madeFields(each.fields);
    const id = describe(each, index, fields, contents);
    for (const [at, values] of (each.records ?? [undefined]).entries()) {
      const ns = (firstUs + events.length) * 1000;
      events.push({ cpu: 0, ns, pid, data: fields.record(id, each.pids?.[at] ?? pid, values) });
    }
  }
  const out = join(dir, 'made.dat');
  const cpus = writeRaws(dir, { 0: pagesOf(events) });
  await convert({ cpus, metadata: parseMetadata(contents), out });
  return out;
}

/** Puts a case's format where a guest has it. @returns its id */
function describe(each: Case, index: number, { lines }: MadeFields, contents: Map<string, Buffer>): number {
  const [system = '', name = ''] = (each.event ?? `made:case_${index}`).split(':');
  const path = `events/${system}/${name}/format`;
  const known = contents.get(path)?.toString('latin1') ?? '';
  const id = Number(/^ID: (\d+)$/m.exec(known)?.[1] ?? firstId + index);
  const text = [
    `name: ${name}`,
    `ID: ${id}`,
    'format:',
    '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
    '\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;',
    '\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;',
    '\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;',
    '',
    ...lines,
    '',
    `print fmt: ${each.print}`,
    '',
  ].join('\n');
  contents.set(path, Buffer.from(text, 'latin1'));
  return id;
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

/** What a report of a file with these cases has after each event's name, for the records of each case. */
export function textsOf(report: string, cases: readonly Case[]): (string | undefined)[][] {
  const texts: string[] = [];
  const pieces = report.split(/^(?= +\S+-42 +(?:\[\d+\]| \d+).*? \d+\.\d{6}: )/m);
  for (const piece of pieces) {
    const found = /^ +\S+-42 .*? (\d+)\.(\d{6}): (\w+): ([^]*)\n$/.exec(piece);
    if (found === null) continue;
    const [, second = '', us = '', name = '', rest = ''] = found;
    texts[Number(second + us) - firstUs] = rest.slice(Math.max(0, 20 - name.length));
  }
  let at = 0;
  return cases.map(({ records = [[]] }) => records.map(() => texts[at++]));
}
