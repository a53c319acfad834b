import { PageCursor } from '../ring/page-cursor.ts';
import type { CutSource } from './cut-source.ts';

/** Limits for the events and steps to look at. If one is reached, a cut may be misplaced, which is detected later. */
const mostEvents = 1000;
const mostSteps = 8;

/**
 * The earliest time from `time` on at which no group of sources begins with an event that must not come first.
 * @param steps a step of each source that is not later than `time`
 */
export function allowedTime(sources: readonly CutSource[], steps: readonly number[], time: bigint): bigint {
  if (sources.every(({ notFirst }) => notFirst === undefined)) return time;
  const groups = new Map<string, Head[]>();
  for (const [index, source] of sources.entries()) {
    const group = groups.get(source.group) ?? [];
    groups.set(source.group, group);
    group.push(new Head(source, steps[index]!));
  }
  let from = time;
  for (let events = 0; events < mostEvents; events++) {
    const wrong = [...groups.values()].map((heads) => firstOf(heads, from)).find((head) => head?.isWrong);
    if (wrong === undefined) break;
    from = wrong.time + 1n;
  }
  return from;
}

/** The head with the earliest event from `time` on. */
function firstOf(heads: readonly Head[], time: bigint): Head | undefined {
  let first: Head | undefined;
  for (const head of heads)
    if (head.stepTo(time) && (first === undefined || head.time < first.time)) first = head;
  return first;
}

/** Steps through the events of one source. */
class Head {
  readonly #source: CutSource;
  readonly #cursor: PageCursor;
  readonly #pages: Iterator<Uint8Array, undefined>;
  #isAtEvent = false;

  constructor(source: CutSource, step: number) {
    this.#source = source;
    this.#cursor = new PageCursor(source.layout);
    this.#pages = pagesFrom(source, step);
  }

  get time(): bigint {
    return this.#cursor.timestamp + this.#source.shift;
  }

  get isWrong(): boolean {
    const { view, dataOffset } = this.#cursor;
    const { typeOffset, notFirst } = this.#source;
    return view.getUint16(dataOffset + typeOffset, true) === notFirst;
  }

  /** @returns whether there is an event from `time` on */
  stepTo(time: bigint): boolean {
    while (!this.#isAtEvent || this.time < time) if (!this.#next()) return false;
    return true;
  }

  #next(): boolean {
    const cursor = this.#cursor;
    for (;;) {
      while (cursor.next())
        if (cursor.kind === 'data' && cursor.dataBytes >= this.#source.typeOffset + 2) {
          this.#isAtEvent = true;
          return true;
        }
      const page = this.#pages.next();
      this.#isAtEvent = false;
      if (page.value === undefined) return false;
      cursor.load(page.value);
    }
  }
}

/** The pages of a few steps, from `first` on. */
function* pagesFrom({ cpu, layout }: CutSource, first: number): Generator<Uint8Array, undefined> {
  const { pageBytes } = layout;
  const steps = cpu.steps();
  for (let step = first; step < Math.min(steps.count, first + mostSteps); step++) {
    const bytes = steps.read(step);
    // if a step is a page, `read` also returns the page after it
    const end = cpu.isChunked ? bytes.length : Math.min(bytes.length, pageBytes);
    for (let at = 0; at + pageBytes <= end; at += pageBytes) yield bytes.subarray(at, at + pageBytes);
  }
  return undefined;
}
