import { PageCursor } from '../ring/page-cursor.ts';
import type { PageSteps } from '../source/source.ts';
import type { CutSource } from './cut-source.ts';
import { allowedTime } from './first-after-cut.ts';
import { planReading } from './time-range.ts';

/** A time to cut at, and for each source a step: no earlier step has events of that time or later. */
export interface Cut {
  readonly time: bigint;
  readonly steps: readonly number[];
}

/** Number of pages to look at for each part of the wanted size. */
const marksOfPart = 8;
/** Limit for the marks kept if pages are not in time order. */
const mostKept = 1000;

/**
 * Cuts that divide the sources into parts of about `partBytes` of pages. Looks at some pages, as needed; where these
 * are not in time order, steps may be wrong. Blocks. Throws Failure.
 */
export function* cutsOf(sources: readonly CutSource[], partBytes: number): Generator<Cut, void, undefined> {
  const all = sources.map((source) => new Marks(source, partBytes / marksOfPart));
  let bytes = 0;
  let last: bigint | undefined;
  for (;;) {
    let first: Marks | undefined;
    for (const marks of all)
      if (marks.next !== undefined && (first === undefined || marks.next.time < first.next!.time))
        first = marks;
    if (first === undefined) return;
    let { time } = first.next!;
    // the first part is small, so that its text appears soon
    const isCut = last === undefined ? bytes > 0 : bytes >= partBytes && time > last;
    if (isCut) {
      const steps = all.map((marks) => marks.stepBefore(time));
      time = allowedTime(sources, steps, time);
      yield { time, steps };
      bytes = 0;
      last = time;
    }
    bytes += first.advance();
  }
}

/** A page that was looked at. */
interface Mark {
  readonly step: number;
  readonly time: bigint;
}

/** Looks at pages of one source at even distances. */
class Marks {
  next: Mark | undefined;
  readonly #source: CutSource;
  readonly #steps: PageSteps;
  readonly #cursor: PageCursor;
  /** Steps from one mark to the next, and their bytes. */
  readonly #stride: number;
  readonly #strideBytes: number;
  #passed: Mark[] = [];

  constructor(source: CutSource, bytesApart: number) {
    const { cpu, layout, from } = source;
    this.#source = source;
    this.#steps = cpu.steps();
    this.#cursor = new PageCursor(layout);
    const first = from === undefined ? 0 : planReading(cpu, layout, from).step;
    const stepBytes = cpu.isChunked && first < this.#steps.count ? this.#steps.read(first).length : 0;
    this.#stride = Math.max(1, Math.round(bytesApart / Math.max(stepBytes, layout.pageBytes)));
    this.#strideBytes = this.#stride * Math.max(stepBytes, layout.pageBytes);
    this.next = this.#from(first);
  }

  /** Steps to the next page to look at. @returns the bytes up to that page */
  advance(): number {
    const { step } = this.next!;
    this.#passed.push(this.next!);
    if (this.#passed.length > mostKept) this.#passed.shift();
    this.next = this.#from(step + this.#stride);
    return this.#strideBytes;
  }

  /** The step before the last one that begins before `time`, since a step may leave state to the next one. */
  stepBefore(time: bigint): number {
    const passed = this.#passed;
    const at = passed.findLastIndex((mark) => mark.time < time);
    if (at < 0) return 0;
    this.#passed = passed.slice(at);
    let early = passed[at]!.step;
    let late = (passed[at + 1] ?? this.next)?.step ?? this.#steps.count;
    while (late - early > 1) {
      const middle = early + Math.floor((late - early) / 2);
      const found = this.#timeAt(middle);
      if (found !== undefined && found < time) early = middle;
      else late = middle;
    }
    return Math.max(0, early - 1);
  }

  /** The mark at `step`. If the page there has no time, the next mark whose page has one. */
  #from(step: number): Mark | undefined {
    for (let at = step; at < this.#steps.count; at += this.#stride) {
      const time = this.#timeAt(at);
      if (time === undefined) continue;
      const { to, shift } = this.#source;
      return to !== undefined && time > to + shift ? undefined : { step: at, time };
    }
    return undefined;
  }

  #timeAt(step: number): bigint | undefined {
    const { layout, shift } = this.#source;
    const bytes = this.#steps.read(step);
    if (bytes.length < layout.pageBytes) return undefined;
    this.#cursor.load(bytes.subarray(0, layout.pageBytes));
    const { header } = this.#cursor;
    return header === undefined ? undefined : header.timestamp + shift;
  }
}
