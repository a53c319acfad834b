import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseEventFormat } from '../../../src/trace/format/event-format.ts';
import { EventCatalogue } from '../../../src/trace/format/event-catalogue.ts';
import { markersOf } from '../../../src/trace/ring/events.ts';
import { parsePageLayout } from '../../../src/trace/ring/page-layout.ts';
import { pagesOf } from '../../../src/trace/ring/page-splitter.ts';
import { type RingSummary, summarise } from '../../../src/trace/ring/summary.ts';
import type { Tracefs } from '../../../src/tracefs/tracefs.ts';

/** Data in transit has arrived after this long, or is lost. */
const arrivalMs = 30_000;

/**
 * Waits until at least so many markers of each CPU, and only whole pages, have arrived, or the time is over;
 * returns what has arrived.
 */
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

/** The data of one instance that has arrived, decoded. */
export class Arrived {
  readonly bytes: Uint8Array;
  readonly pageBytes: number;
  /** Numbers of the markers in order of arrival, by the CPU on which they were written. */
  readonly markers: ReadonlyMap<number, readonly number[]>;
  readonly summary: RingSummary;

  /**
   * @param tracefs the instance, which has the page size and formats
   * @param tracefs the instance: its page size and formats
   */
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

  /** Asserts that pages are whole and readable to their end. */
  assertSound(): void {
    assert.equal(this.bytes.length % this.pageBytes, 0, 'a torn page');
    assert.deepEqual(this.summary.malformed, new Map(), 'malformed pages');
    assert.equal(this.summary.shortRecords, 0);
  }

  /** Asserts that markers `from` to `to` - 1 of a CPU arrived, each once and in order. */
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

  /** Asserts that none arrived twice, and all in order; some may be missing. @returns the number that arrived */
  assertOrdered(cpu: number): number {
    const numbers = this.markersOf(cpu);
    const wrong = numbers.findIndex((number, index) => index > 0 && number <= (numbers[index - 1] ?? -1));
    assert.equal(wrong, -1, `CPU ${cpu}: marker ${numbers[wrong]} arrived behind ${numbers[wrong - 1]}`);
    return numbers.length;
  }
}
