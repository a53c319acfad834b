import { lineRange } from './line-range.ts';
import { Frame, type Limits, type Point, type Sample } from './observations.ts';

/** Samples of a time in which the clocks ran evenly, in the order of the guest's clock. */
export interface Stretch {
  readonly frame: Frame;
  readonly samples: readonly Sample[];
  readonly points: readonly Point[];
  /** Samples that contradict the others, and were left out. */
  readonly violations: number;
}

/** How many neighbours decide whether a sample fits, and where a line is. */
export const reach = 64;

/** If one sample contradicts those before it, so many after it tell whether it or the clock is wrong. */
const jury = 3;

/**
 * Divides samples where no line passes through them any more: there the clock jumped. A single sample that contradicts
 * those before and after it is left out.
 */
export function cut(samples: readonly Sample[], limits: Limits): Stretch[] {
  const stretches: Stretch[] = [];
  let open: OpenStretch | undefined;
  samples.forEach((sample, index) => {
    if (open === undefined) open = new OpenStretch(sample, limits);
    else if (open.fits(sample)) open.add(sample);
    else if (!isHard(sample) || open.outlives(samples, index)) open.violations++;
    else {
      stretches.push(open.close());
      open = new OpenStretch(sample, limits);
    }
  });
  if (open !== undefined) stretches.push(open.close());
  return stretches;
}

/** Whether a sample may show a jump: pairs of events that were matched wrongly are likelier than that. */
function isHard({ low, high }: Sample): boolean {
  return low !== undefined && high !== undefined;
}

class OpenStretch {
  violations = 0;
  readonly #frame: Frame;
  readonly #limits: Limits;
  readonly #samples: Sample[] = [];
  readonly #points: Point[] = [];

  constructor(first: Sample, limits: Limits) {
    this.#frame = Frame.of(first);
    this.#limits = limits;
    this.add(first);
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    this.#points.push(this.#frame.point(sample));
  }

  fits(sample: Sample): boolean {
    const { mostRate, wander } = this.#limits;
    const { x, low, high } = this.#frame.point(sample);
    const count = this.#points.length;
    const range: [number, number] = [Math.max(0, count - reach), count];
    const line = lineRange(this.#points, range, x, wander, { low: -mostRate, high: mostRate });
    // stretches always have a line; if rounding hides it, nothing is contradicted
    return line === undefined || (line.value.low <= high && line.value.high >= low);
  }

  /** Whether most of the samples after `index` fit. */
  outlives(samples: readonly Sample[], index: number): boolean {
    const next: Sample[] = [];
    for (let i = index + 1; i < samples.length && next.length < jury; i++)
      if (isHard(samples[i]!)) next.push(samples[i]!);
    const fitting = next.filter((sample) => this.fits(sample)).length;
    return next.length > 0 && fitting * 2 > next.length;
  }

  close(): Stretch {
    return {
      frame: this.#frame,
      samples: this.#samples,
      points: this.#points,
      violations: this.violations,
    };
  }
}
