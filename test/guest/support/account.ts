import { parsePageLayout } from '../../../src/trace/ring/page-layout.ts';
import type { PageLayout } from '../../../src/trace/ring/page-layout.ts';
import { markersOf } from '../../../src/trace/ring/events.ts';
import { PageSplitter } from '../../../src/trace/ring/page-splitter.ts';
import { parseEventFormat } from '../../../src/trace/format/event-format.ts';
import type { EventFormat } from '../../../src/trace/format/event-format.ts';
import { parseRingStats } from '../../../src/tracefs/ring-files.ts';
import type { RingStats } from '../../../src/tracefs/ring-files.ts';
import type { Collector, Guest } from '../harness/index.ts';

export const guestTracefs = '/sys/kernel/tracing';

/** Data of one trace port: the numbers of its markers in order, and whether it consists of whole pages. */
export interface Received {
  readonly numbers: readonly number[];
  readonly leftoverBytes: number;
}

/** Reads markers from collected data, with the guest's own formats. */
export class MarkerReader {
  readonly #layout: PageLayout;
  readonly #printFormat: EventFormat;

  private constructor(layout: PageLayout, printFormat: EventFormat) {
    this.#layout = layout;
    this.#printFormat = printFormat;
  }

  static async of(guest: Guest): Promise<MarkerReader> {
    const headerPage = (await guest.readFile(`${guestTracefs}/events/header_page`)).toString();
    const print = (await guest.readFile(`${guestTracefs}/events/ftrace/print/format`)).toString();
    return new MarkerReader(parsePageLayout(headerPage), parseEventFormat('ftrace', print));
  }

  /** All markers `m<cpu>:<number>:…` of a CPU, from byte `from` on. */
  read(collector: Collector, cpu: number, from = 0): Received {
    const splitter = new PageSplitter(this.#layout.pageBytes);
    const pages = splitter.push(collector.read().subarray(from));
    const marker = new RegExp(`^m${cpu}:(\\d+):`);
    const numbers: number[] = [];
    for (const text of markersOf(pages, this.#layout, this.#printFormat)) {
      const found = marker.exec(text);
      if (found !== null) numbers.push(Number(found[1]));
    }
    return { numbers, leftoverBytes: splitter.pendingBytes };
  }
}

export async function ringStats(guest: Guest, cpu: number, instance = guestTracefs): Promise<RingStats> {
  return parseRingStats((await guest.readFile(`${instance}/per_cpu/cpu${cpu}/stats`)).toString());
}

/** The first number that is not larger than the previous one: a page is duplicated or out of order. */
export function outOfOrder(numbers: readonly number[]): number | undefined {
  return numbers.find((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0));
}

export function span(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** Waits until the last of so many markers has arrived, and returns their numbers. */
export async function arrivedMarkers(reader: MarkerReader, collector: Collector, cpu: number, count: number) {
  for (const deadlineMs = performance.now() + 60_000; ; ) {
    await collector.waitQuiet(300);
    const { numbers } = reader.read(collector, cpu);
    if (numbers.at(-1) === count || performance.now() > deadlineMs) return numbers;
  }
}
