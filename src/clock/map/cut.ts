import { lineRange } from './line-range.ts';
import { Frame, type Limits, type Point, type Sample } from './observations.ts';

/** Samples of a time in which the clocks ran evenly, in the order of the guest's clock. */
export interface Stretch {
  readonly frame: Frame;
  readonly samples: readonly Sample[];
  readonly points: readonly Point[];
  /** Number of samples that were left out because they contradict the others. */
  readonly violations: number;
}

/** Number of neighbouring samples that decide whether a sample fits, and where a line is. */
export const reach = 64;

/** If a sample contradicts those before it, this many after it decide whether it is wrong or the clock jumped. */
const jury = 3;

/**
 * Divides samples at each point where no line fits them any more: there the clock jumped. A single sample that
 * contradicts those before and after it is left out.
 */
export function cut(samples: readonly Sample[], limits: Limits): Stretch[] {
  const stretches: Stretch[] = [];
  let open: OpenStretch | undefined;
  samples.forEach((sample, index) => {
    if (open === undefined) open = new OpenStretch(sample, limits, false);
    else if (open.fits(sample)) open.add(sample);
    else if (!isHard(sample) || isAlone(open, sample, nextOf(samples, index), limits)) open.violations++;
    else {
      stretches.push(open.close(true));
      open = new OpenStretch(sample, limits, true);
    }
  });
  if (open !== undefined) stretches.push(open.close(false));
  return stretches;
}

/** Whether a sample may show a jump. A pair of events may not: more likely, it was matched wrongly. */
function isHard({ low, high }: Sample): boolean {
  return low !== undefined && high !== undefined;
}

function nextOf(samples: readonly Sample[], index: number): Sample[] {
  const next: Sample[] = [];
  for (let i = index + 1; i < samples.length && next.length < jury; i++)
    if (isHard(samples[i]!)) next.push(samples[i]!);
  return next;
}

/** Whether the samples after a sample agree with those before it, and not with it. */
function isAlone(open: OpenStretch, sample: Sample, next: readonly Sample[], limits: Limits): boolean {
  const alone = new OpenStretch(sample, limits, true);
  const isMost = (stretch: OpenStretch): boolean =>
    next.filter((other) => stretch.fits(other)).length * 2 > next.length;
  return isMost(open) && !isMost(alone);
}

class OpenStretch {
  violations = 0;
  readonly #frame: Frame;
  readonly #limits: Limits;
  readonly #samples: Sample[] = [];
  readonly #points: Point[] = [];
  readonly #afterJump: boolean;

  constructor(first: Sample, limits: Limits, afterJump: boolean) {
    this.#frame = Frame.of(first);
    this.#limits = limits;
    this.#afterJump = afterJump;
    this.add(first);
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    this.#points.push(this.#frame.point(sample));
  }

  fits(sample: Sample): boolean {
    const { mostRate, wander } = this.#limits;
    const { x, low, high } = this.#frame.point(sample);
    const end = this.#points.length;
    const choice = { first: Math.max(0, end - reach), end };
    const line = lineRange(this.#points, choice, x, wander, { low: -mostRate, high: mostRate });
    // a stretch always has a line; if rounding errors hide it, the sample does not count as a contradiction
    return line === undefined || (line.value.low <= high && line.value.high >= low);
  }

  /** @param beforeJump whether the next sample contradicts these */
  close(beforeJump: boolean): Stretch {
    // the jump may lie within the reach of a sample next to it, which then mixes both sides
    const isDoubtful = (sample: Sample | undefined): boolean => (sample?.reachNs ?? 0) > 0;
    const first = this.#afterJump && isDoubtful(this.#samples[0]) && this.#samples.length > 1 ? 1 : 0;
    const end = this.#samples.length;
    const last = beforeJump && isDoubtful(this.#samples.at(-1)) && end - first > 1 ? end - 1 : end;
    return {
      frame: this.#frame,
      samples: this.#samples.slice(first, last),
      points: this.#points.slice(first, last),
      violations: this.violations,
    };
  }
}
