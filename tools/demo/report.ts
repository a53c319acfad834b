import type { EventFormat } from '../../src/trace/format/event-format.ts';
import type { Field } from '../../src/trace/format/field.ts';
import { readValue, type RecordData } from '../../src/trace/format/record-data.ts';
import { eventsOf } from '../../src/trace/ring/events.ts';
import { pagesOf } from '../../src/trace/ring/page-splitter.ts';
import { type RingSummary, summarise } from '../../src/trace/ring/summary.ts';
import type { RingStats } from '../../src/tracefs/ring-files.ts';
import type { Formats } from './formats.ts';
import { rightAligned } from './live-view.ts';

/** What the host received of one CPU, and the counters of the guest's kernel. */
export interface CpuTrace {
  readonly cpu: number;
  /** Raw pages in order of arrival. */
  readonly bytes: Uint8Array;
  readonly ring: RingStats;
}

export interface Report {
  readonly text: string;
  /** Whether every event that the kernel handed out was decoded. */
  readonly whole: boolean;
}

const firstEvents = 4;
const lineWidth = 110;

/** Decodes what arrived and compares it with the kernel's own counters. Pure. */
export function report(traces: readonly CpuTrace[], formats: Formats): Report {
  const { layout, catalogue } = formats;
  const rows = traces.map((trace) => ({
    trace,
    sum: summarise(pagesOf(trace.bytes, layout.pageBytes), layout, catalogue),
  }));
  const faults = rows.flatMap(({ trace, sum }) => faultsOf(trace, sum, layout.pageBytes));
  const verdict =
    faults.length === 0
      ? ['Every event that the kernel handed out arrived and was decoded: "events" equals "read events".']
      : ['What arrived differs from what the kernel handed out:', ...faults.map((fault) => `  ${fault}`)];
  const lines = [
    ...table(rows),
    '',
    ...verdict,
    '',
    "The first events of each CPU (time in seconds of the guest's trace clock, thread, event):",
    ...traces.flatMap((trace) => first(trace, formats)),
    '',
    'Events by name:',
    ...byName(rows.map(({ sum }) => sum)),
  ];
  return { text: `${lines.join('\n')}\n`, whole: faults.length === 0 };
}

interface Row {
  readonly trace: CpuTrace;
  readonly sum: RingSummary;
}

/** `lost` is the kernel's overrun: events overwritten before they were read. */
function table(rows: readonly Row[]): string[] {
  const cells = rows.map(({ trace, sum }) => [
    sum.pages,
    trace.bytes.length,
    sum.events,
    trace.ring.readEvents,
    trace.ring.overrun,
  ]);
  const total = cells.reduce((sums, row) => sums.map((sum, column) => sum + (row[column] ?? 0)));
  const line = (name: string, counts: readonly number[]) =>
    `  ${name.padEnd(5)}${counts.map((count) => rightAligned(count, 13)).join('')}`;
  const head = ['pages', 'bytes', 'events', 'read events', 'lost'].map((title) => title.padStart(13));
  return [
    `  CPU  ${head.join('')}`,
    ...rows.map(({ trace }, index) => line(String(trace.cpu), cells[index] ?? [])),
    line('all', total),
  ];
}

function faultsOf({ cpu, bytes, ring }: CpuTrace, sum: RingSummary, pageBytes: number): string[] {
  const faults: string[] = [];
  if (sum.events !== ring.readEvents) {
    faults.push(`CPU ${cpu}: ${sum.events} events decoded, ${ring.readEvents} read from the ring`);
  }
  if (bytes.length % pageBytes !== 0) faults.push(`CPU ${cpu}: the last page is truncated`);
  for (const [status, pages] of sum.malformed) faults.push(`CPU ${cpu}: ${pages} pages with ${status}`);
  return faults;
}

function first({ cpu, bytes }: CpuTrace, { layout, catalogue }: Formats): string[] {
  const lines: string[] = [];
  for (const event of eventsOf(pagesOf(bytes, layout.pageBytes), layout, catalogue)) {
    if (lines.length === firstEvents) break;
    const start = event.pageIndex * layout.pageBytes;
    const page = bytes.subarray(start, start + layout.pageBytes);
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const format = catalogue.byId(event.id);
    const fields = format === undefined ? '' : fieldsOf(format, { ...event, page, view });
    const name = event.name ?? `#${event.id}`;
    const place = `  CPU ${String(cpu).padEnd(2)} ${seconds(event.timestamp)} ${String(event.pid).padStart(6)}`;
    lines.push(`${place}  ${name}  ${fields}`.slice(0, lineWidth));
  }
  return lines.length > 0 ? lines : [`  CPU ${cpu}  none`];
}

function fieldsOf(format: EventFormat, record: RecordData): string {
  return format.fields.map((field) => `${field.name}=${textOf(record, field)}`).join(' ');
}

/** Replaces control characters: bytes of a guest must not control the terminal. */
function textOf(record: RecordData, field: Field): string {
  const value = readValue(record, field);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return String(value ?? '?').replace(/[^\x20-\x7e]/g, '?');
}

function seconds(ns: bigint): string {
  const microseconds = (ns / 1000n).toString().padStart(7, '0');
  return `${microseconds.slice(0, -6)}.${microseconds.slice(-6)}`.padStart(12);
}

function byName(sums: readonly RingSummary[]): string[] {
  const counts = new Map<string, number>();
  for (const sum of sums) {
    for (const [name, count] of sum.byName) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `  ${rightAligned(count, 11)}  ${name}`);
}
