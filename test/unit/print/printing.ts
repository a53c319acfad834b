import { EventPrinter } from '../../../src/print/event/event-printer.ts';
import { pluginFunctions } from '../../../src/print/handlers/functions.ts';
import { parseFunctions } from '../../../src/print/symbols/function-map.ts';
import { PrintkFormats } from '../../../src/print/symbols/printk-formats.ts';
import { PrintTaskNames } from '../../../src/print/symbols/task-names.ts';
import type { PrintContext } from '../../../src/print/event/context.ts';
import { parseEventFormat } from '../../../src/trace/format/event-format.ts';
import type { RecordData } from '../../../src/trace/format/record-data.ts';

export function printContext(): PrintContext {
  const functions = parseFunctions(Buffer.from('ffffffff81000000 T _text\nffffffff81000010 t second\n'));
  const printk = new PrintkFormats(Buffer.from('0xffffffff82000000 : "text %d\\n"\n'));
  return {
    longBytes: 8,
    budget: { left: 1 << 30 },
    functionMap: () => functions,
    printkFormats: () => printk,
    taskNames: new PrintTaskNames([], false),
    functions: new Map(pluginFunctions.map((each) => [each.name, each])),
    notes: undefined,
  };
}

const fields = [
  'unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
  'int common_pid;\toffset:4;\tsize:4;\tsigned:1;',
  '',
  'int a;\toffset:8;\tsize:4;\tsigned:1;',
  'short h;\toffset:12;\tsize:2;\tsigned:1;',
  'u8 c;\toffset:14;\tsize:1;\tsigned:0;',
  'unsigned long b;\toffset:16;\tsize:8;\tsigned:0;',
  '__data_loc char[] s;\toffset:24;\tsize:4;\tsigned:0;',
  '__rel_loc u8[] r;\toffset:28;\tsize:4;\tsigned:0;',
  'char t[16];\toffset:32;\tsize:16;\tsigned:0;',
  'u64 d[2];\toffset:48;\tsize:16;\tsigned:0;',
  'u8 m[6];\toffset:64;\tsize:6;\tsigned:0;',
  'char far[4];\toffset:1048000;\tsize:4;\tsigned:0;',
  'u32 rest[];\toffset:72;\tsize:0;\tsigned:0;',
];

/** Names of the fields of `eventPrinter`'s events. */
export const fieldNames = ['a', 'h', 'c', 'b', 's', 'r', 't', 'd', 'm', 'far', 'rest', 'none', 'common_pid'];

/** A printer of an event with fields of all kinds and that print format. */
export function eventPrinter(printFormat: string, context = printContext()): EventPrinter {
  const lines = fields.map((field) => (field === '' ? '' : `\tfield:${field}`)).join('\n');
  const text = `name: event\nID: 9\nformat:\n${lines}\n\nprint fmt: ${printFormat}\n`;
  return new EventPrinter(parseEventFormat('system', text), context);
}

/** A record with these data in a page that is filled with `around` outside of it. */
export function recordOf(data: Uint8Array, around = 0x40): RecordData {
  const page = new Uint8Array(4096).fill(around);
  const dataOffset = 1024;
  page.set(data, dataOffset);
  return { page, view: new DataView(page.buffer), dataOffset, dataBytes: data.length };
}
