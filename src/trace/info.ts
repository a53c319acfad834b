import { checkedRuns, emptyTally, type RawTally } from './check/checked-runs.ts';
import type { TracedGuest } from './dat/guest-option.ts';
import type { RecordedPause } from './dat/pause-note.ts';
import type { TimeShift } from './dat/time-shift.ts';
import type { EventCatalogue } from './format/event-catalogue.ts';
import { clockUnit } from './metadata/clock-unit.ts';
import type { Symbols } from './metadata/symbols.ts';
import type { TopLevelLine } from './metadata/unseen.ts';
import type { Recording } from './recording/recording-format.ts';
import type { PageLayout } from './ring/page-layout.ts';
import { openSource } from './source/open-source.ts';

/** Summary of a trace. Texts come from the guest: escape them before printing to a terminal. */
export interface TraceInfo {
  readonly path: string;
  readonly kind: 'trace.dat' | 'recording';
  /** File format; undefined for a recording. */
  readonly format: { readonly version: 6 | 7; readonly compression: 'none' | 'zstd' } | undefined;
  /** Size of the file; for a recording, of its raw pages and metadata. */
  readonly totalBytes: number;
  readonly pageBytes: number;
  readonly uname: string;
  /** The program that wrote the file; empty if unknown. */
  readonly writer: string;
  readonly traceId: bigint | undefined;
  /** How to convert times to host times; undefined for a machine on its own. No other time in here is converted. */
  readonly timeShift: TimeShift | undefined;
  /** The guests that were traced together with this host. */
  readonly guests: readonly TracedGuest[];
  /** When this guest was paused, by the host's trace clock; undefined if nothing is known. */
  readonly pauses: readonly RecordedPause[] | undefined;
  readonly eventFormats: number;
  /** Whether the guest's kernel functions have names. */
  readonly symbols: Symbols;
  /** Top-level lines (trace_marker, trace_printk) that went to other buffers; null if unknown. */
  readonly unseen: readonly TopLevelLine[] | null;
  readonly buffers: readonly BufferInfo[];
  readonly recording: Recording | undefined;
}

/** One tracing instance; the top level's name is empty. */
export interface BufferInfo {
  readonly name: string;
  /** Name of the trace clock; empty if unknown. */
  readonly clock: string;
  readonly cpus: readonly CpuInfo[];
  /** Sums and bounds over all CPUs. */
  readonly events: number;
  readonly lost: bigint;
  readonly pagesAfterUncountedLoss: number;
  /** Unit of all times of this buffer; null if its clock does not count time, or is unknown. */
  readonly timeUnit: 'ns' | null;
  readonly first: bigint | undefined;
  readonly last: bigint | undefined;
  /** Pages that begin before the previous page ended; 0 if all pages are from one CPU and one clock. */
  readonly stepsBack: number;
  /** Events by `system:name`, most first. */
  readonly eventsByName: ReadonlyMap<string, number>;
}

/** Counts of a CPU's pages; unreadable pages are in `leftOut`. */
export interface CpuInfo extends RawTally {
  readonly cpu: number;
  /** Size as stored, compressed or not. */
  readonly dataBytes: number;
}

/** Reads all pages of a trace.dat or of a recording directory, at 1 to 2 GB/s. Throws Failure. */
export async function readInfo(path: string): Promise<TraceInfo> {
  const source = await openSource(path);
  try {
    const {
      kind,
      format,
      totalBytes,
      layout,
      catalogue,
      uname,
      writer,
      traceId,
      timeShift,
      guests,
      pauses,
      symbols,
      unseen,
      recording,
    } = source;
    const buffers: BufferInfo[] = [];
    for (const { name, clock, cpus } of source.buffers) {
      const counted: CpuInfo[] = [];
      for (const { cpu, dataBytes, blocks } of cpus)
        counted.push({ cpu, dataBytes, ...(await countPages(blocks(), layout, catalogue)) });
      buffers.push(bufferInfo(name, clock, counted, catalogue));
    }
    return {
      path,
      kind,
      format,
      totalBytes,
      pageBytes: layout.pageBytes,
      uname,
      writer,
      traceId,
      timeShift,
      guests,
      pauses,
      eventFormats: catalogue.size,
      symbols,
      unseen,
      buffers,
      recording,
    };
  } finally {
    await source.close();
  }
}

async function countPages(
  blocks: AsyncIterable<Uint8Array>,
  layout: PageLayout,
  { common }: EventCatalogue,
): Promise<RawTally> {
  const tally = emptyTally();
  const runs = checkedRuns(blocks, layout, common, tally);
  while ((await runs.next()).done !== true);
  return tally;
}

function bufferInfo(
  name: string,
  clock: string,
  cpus: readonly CpuInfo[],
  catalogue: EventCatalogue,
): BufferInfo {
  const counts = new Map<string, number>();
  let events = 0;
  let lost = 0n;
  let pagesAfterUncountedLoss = 0;
  let first: bigint | undefined;
  let last: bigint | undefined;
  let stepsBack = 0;
  for (const cpu of cpus) {
    events += cpu.events;
    lost += cpu.lost;
    pagesAfterUncountedLoss += cpu.pagesAfterUncountedLoss;
    stepsBack += cpu.stepsBack;
    if (cpu.first !== undefined && (first === undefined || cpu.first < first)) first = cpu.first;
    if (cpu.last !== undefined && (last === undefined || cpu.last > last)) last = cpu.last;
    for (const [id, count] of cpu.eventsById) {
      const event = catalogue.byId(id)?.fullName ?? `#${id}`;
      counts.set(event, (counts.get(event) ?? 0) + count);
    }
  }
  const eventsByName = new Map([...counts].sort(([, a], [, b]) => b - a));
  return {
    name,
    clock,
    cpus,
    events,
    lost,
    pagesAfterUncountedLoss,
    timeUnit: clockUnit(clock),
    first,
    last,
    stepsBack,
    eventsByName,
  };
}

/** Converts to JSON values: maps become objects, 64-bit integers become strings. */
export function infoAsJson(info: TraceInfo): unknown {
  return JSON.parse(
    JSON.stringify(info, (_key, value: unknown) => {
      if (value instanceof Map) return Object.fromEntries(value);
      return typeof value === 'bigint' ? String(value) : value;
    }),
  );
}
