import type { Trace } from '../../trace/open.ts';
import { filterTexts } from '../../trace/filter/filter-text.ts';
import { EventPrinter } from '../event/event-printer.ts';
import { TextBuffer } from '../text/text-buffer.ts';
import { pluginHandlers } from '../handlers/handlers.ts';
import { defaultLineOptions, type LineOptions } from './options.ts';
import { nanoseconds, timeUnits } from './time-unit.ts';
import { TimeWriter } from './time-writer.ts';
import { TracePrinter } from './trace-printer.ts';

/** The listings of trace-cmd report. Each returns latin1 text. Reading blocks. Throws Failure. */

/** `-f`: addresses and names of all functions. */
export function functionList(trace: Trace): string {
  const { context } = new TracePrinter(trace, defaultLineOptions, nanoseconds);
  const map = context.functionMap();
  const text = Buffer.from(map.text.buffer, map.text.byteOffset, map.text.length);
  const lines: string[] = [];
  for (let index = 0; index < map.size; index++) {
    const line = text.toString('latin1', map.nameStart(index), map.lineEnd(index));
    lines.push(`${map.address(index).toString(16).padStart(16, '0')} ${line.replace('\t', ' ')}\n`);
  }
  return lines.join('');
}

/** `-P`: addresses and format strings of trace_printk(). */
export function printkList(trace: Trace): string {
  const { context } = new TracePrinter(trace, defaultLineOptions, nanoseconds);
  const entries = context.printkFormats().entries();
  return entries
    .map(([address, text]) => `${address.toString(16).padStart(16, '0')} ${latin1(text)}\n`)
    .join('');
}

/** `-E`: names of all event types. */
export function eventList(trace: Trace): string {
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return trace
    .formats()
    .sort((a, b) => compare(a.system, b.system) || compare(a.name, b.name) || a.id - b.id)
    .map(({ fullName }) => `${fullName}\n`)
    .join('');
}

/** `--events`: all format files, by system. */
export function formatList(trace: Trace): string {
  let text = '';
  let system = '';
  for (const [path, format] of trace.source.formatTexts()) {
    const [, of = ''] = path.split('/');
    if (of === 'ftrace') continue;
    text += of === system ? '' : `\nsystem: ${of}\n`;
    system = of;
    text += `${format}\n`;
  }
  return text;
}

/** `-T`: what filters mean for each event type. Throws Failure (usage). */
export function filterList(trace: Trace, filters: Iterable<string>): string {
  const formats = trace.formats();
  return [...filters]
    .flatMap((filter) => filterTexts(filter, formats))
    .map(([{ name }, text]) => ` '${name}: ${Buffer.from(text).toString('latin1')}'\n`)
    .join('');
}

/** `--cpus`, `--first-event`, `--last-event`. */
export function cpuList(trace: Trace, first: boolean, last: boolean, options: LineOptions): string {
  const [top] = trace.buffers;
  const { isNs } = timeUnits(trace, options, undefined);
  const writer = new TimeWriter(isNs ? (options.nanoseconds ? 'ns' : 'us') : 'raw');
  const timeText = (time: bigint): string => {
    const out = new TextBuffer(64);
    writer.write(out, time);
    return latin1(out.view());
  };
  const lines = [`List of CPUs in ${trace.path} with data:\n`];
  for (const cpu of top?.cpus ?? []) {
    const span = trace.span({ cpus: [cpu], buffers: [''] });
    if (span === undefined) continue;
    const begin = first ? `\tFirst event:${timeText(span.first)}` : '';
    const end = last ? `\tLast event:${timeText(span.last)}` : '';
    lines.push(`  ${cpu}${begin}${end}\n`);
  }
  return lines.join('');
}

/** `--stat`: the guest kernel's ring buffer counts, and the pages' offsets in the file. */
export function statistics(trace: Trace): string {
  const { statTexts, buffers } = trace.source;
  const head =
    '\nKernel buffer statistics:\n' +
    '  Note: "entries" are the entries left in the kernel ring buffer and are not\n' +
    '        recorded in the trace data. They should all be zero.\n\n';
  const places = (buffers[0]?.cpus ?? [])
    .filter(({ offset }) => offset !== undefined)
    .map(
      ({ cpu, offset, dataBytes }) =>
        `CPU${cpu} data recorded at offset=0x${offset!.toString(16)}\n    ${dataBytes} bytes in size\n`,
    );
  const counts =
    statTexts.length === 0
      ? ' No stats in this file\n'
      : `${statTexts.map((text) => `${text}\n`).join('')}\n`;
  return head + counts + places.join('');
}

/** `--check-events`: event types whose print format cannot be used, and why. */
export function unusableFormats(trace: Trace, options: LineOptions): { name: string; reason: string }[] {
  const { context } = new TracePrinter(trace, options, nanoseconds);
  const found: { name: string; reason: string }[] = [];
  for (const format of trace.formats()) {
    if (!options.noPlugins && pluginHandlers.has(format.fullName)) continue;
    const { failure } = new EventPrinter(format, context);
    if (failure !== undefined) found.push({ name: format.fullName, reason: failure });
  }
  return found;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
