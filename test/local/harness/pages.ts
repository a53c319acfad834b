import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseEventFormat } from '../../../src/trace/format/event-format.ts';
import { EventCatalogue } from '../../../src/trace/format/event-catalogue.ts';
import { markersOf } from '../../../src/trace/ring/events.ts';
import { parsePageLayout } from '../../../src/trace/ring/page-layout.ts';
import { pagesOf } from '../../../src/trace/ring/page-splitter.ts';
import { type RingSummary, summarise } from '../../../src/trace/ring/summary.ts';
import type { Tracefs } from '../../../src/tracefs/tracefs.ts';

/** What is on its way is here after this long, or was lost. */
const arrivalMs = 30_000;

/** Looks until at least so many markers of each CPU and whole pages have arrived, or for long enough; gives the last look. */
export async function whole(
  look: () => Arrived,
  wanted: readonly { readonly cpu: number; readonly count: number }[],
): Promise<Arrived> {
  for (const deadlineMs = performance.now() + arrivalMs; ; await sleep(20)) {
    const found = look();
    const isWhole = found.bytes.length % found.pageBytes === 0;
    if (isWhole && wanted.every(({ cpu, count }) => found.markersOf(cpu).length >= count)) return found;
    if (performance.now() > deadlineMs) return found;
  }
}

/** What arrived of one instance, decoded. */
export class Arrived {
  readonly bytes: Uint8Array;
  readonly pageBytes: number;
  /** Numbers of the markers in order of arrival, by the CPU that wrote them. */
  readonly markers: ReadonlyMap<number, readonly number[]>;
  readonly summary: RingSummary;

  /** @param tracefs the instance: its page size and formats */
  constructor(tracefs: Tracefs, bytes: Uint8Array) {
    const layout = parsePageLayout(tracefs.read('events/header_page'));
    const printFormat = parseEventFormat('ftrace', tracefs.read('events/ftrace/print/format'));
    const markers = new Map<number, number[]>();
    for (const text of markersOf(pagesOf(bytes, layout.pageBytes), layout, printFormat)) {
      const [, cpu, number] = /^(\d+):(\d+) x*$/.exec(text) ?? [];
      if (cpu === undefined || number === undefined)
        throw new Error(`a marker of nobody's: ${text.slice(0, 80)}`);
      const ofCpu = markers.get(Number(cpu)) ?? [];
      markers.set(Number(cpu), ofCpu);
      ofCpu.push(Number(number));
    }
    this.bytes = bytes;
    this.pageBytes = layout.pageBytes;
    this.markers = markers;
    this.summary = summarise(pagesOf(bytes, layout.pageBytes), layout, new EventCatalogue());
  }

  markersOf(cpu: number): readonly number[] {
    return this.markers.get(cpu) ?? [];
  }

  /** Pages are whole and each can be read to its end. */
  assertSound(): void {
    assert.equal(this.bytes.length % this.pageBytes, 0, 'a torn page');
    assert.deepEqual(this.summary.malformed, new Map(), 'malformed pages');
    assert.equal(this.summary.shortRecords, 0);
  }

  /** Markers `from` to `to` - 1 of that CPU arrived, each once and in order. */
  assertAll(cpu: number, to: number, from = 0): void {
    const numbers = this.markersOf(cpu);
    const wrong = numbers.findIndex((number, index) => number !== from + index);
    assert.equal(
      wrong,
      -1,
      `CPU ${cpu}: marker ${numbers[wrong]} arrived in place of ${from + wrong}, behind ${numbers[wrong - 1]}`,
    );
    assert.equal(numbers.length, to - from, `CPU ${cpu}: markers that arrived, of ${to - from}`);
  }

  /** None twice, and in order; some may be missing. @returns how many arrived */
  assertOrdered(cpu: number): number {
    const numbers = this.markersOf(cpu);
    const wrong = numbers.findIndex((number, index) => index > 0 && number <= (numbers[index - 1] ?? -1));
    assert.equal(wrong, -1, `CPU ${cpu}: marker ${numbers[wrong]} arrived behind ${numbers[wrong - 1]}`);
    return numbers.length;
  }
}
