/** How well the relation of a guest's clock to its host's is known. */
export interface ClockQuality {
  /**
   * From the guest's first event to its last one, the host's true time is within `boundNs` of the computed one, and within
   * `medianBoundNs` for half of the time.
   */
  readonly boundNs: number;
  readonly medianBoundNs: number;
  /** What the relation rests on: `ping`, `exclusion`, `order`, `time-shift`. */
  readonly methods: readonly string[];
  /**
   * Number of samples used; and of the observations that contradict the result: pings, and times in which a vCPU was off
   * its CPU and an event of it lies. One sample comes from up to 250 of the latter.
   */
  readonly samples: number;
  readonly violations: number;
}

/** A stretch of time in which the two clocks ran evenly. Times are nanoseconds of the guest's clock. */
export interface ClockPiece extends ClockQuality {
  /** Times of the first and the last observation. */
  readonly guestFrom: bigint;
  readonly guestTo: bigint;
  /** Host minus guest at `guestFrom`. */
  readonly offsetNs: bigint;
  /** By how much the host's clock is faster, over the whole piece. 0 if there was only one observation. */
  readonly ratePpm: number;
}

/** The quality of all pieces together: the largest bounds, the sums of the counts. */
export function qualityOf(pieces: readonly ClockPiece[]): ClockQuality {
  const most = (of: (piece: ClockPiece) => number): number =>
    pieces.reduce((found, piece) => Math.max(found, of(piece)), 0);
  const sum = (of: (piece: ClockPiece) => number): number =>
    pieces.reduce((all, piece) => all + of(piece), 0);
  return {
    boundNs: most(({ boundNs }) => boundNs),
    medianBoundNs: most(({ medianBoundNs }) => medianBoundNs),
    methods: [...new Set(pieces.flatMap(({ methods }) => methods))],
    samples: sum(({ samples }) => samples),
    violations: sum(({ violations }) => violations),
  };
}

const noteStart = ' (host times by ';
const noteForm =
  /^ \(host times by ([a-z-]{1,20}(?: and [a-z-]{1,20}){0,5}), usually within (\d{1,15}) ns, at worst (\d{1,15}) ns, samples: (\d{1,15}), against: (\d{1,15})\)$/;
const longestNote = 300;

/**
 * Suffix for the name of the program that wrote a file. The option TIME_SHIFT has no place for it: trace-cmd dump takes
 * what follows the samples for the next option.
 */
export function qualityNote({ methods, medianBoundNs, boundNs, samples, violations }: ClockQuality): string {
  const bounds = `usually within ${Math.ceil(medianBoundNs)} ns, at worst ${Math.ceil(boundNs)} ns`;
  return `${noteStart}${methods.join(' and ')}, ${bounds}, samples: ${samples}, against: ${violations})`;
}

/** Splits a writer's name into the program and that note; `quality` is undefined without a note. */
export function withoutQuality(writer: string): { readonly writer: string; readonly quality?: ClockQuality } {
  const at = writer.lastIndexOf(noteStart);
  if (at < 0 || writer.length - at > longestNote) return { writer };
  const [found, methods, usual, worst, samples, violations] = noteForm.exec(writer.slice(at)) ?? [];
  if (found === undefined || methods === undefined) return { writer };
  return {
    writer: writer.slice(0, at),
    quality: {
      methods: methods.split(' and '),
      medianBoundNs: Number(usual),
      boundNs: Number(worst),
      samples: Number(samples),
      violations: Number(violations),
    },
  };
}
