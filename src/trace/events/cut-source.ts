import type { PageLayout } from '../ring/page-layout.ts';
import type { SourceCpu } from '../source/source.ts';

/** The pages of a CPU that are to be cut. */
export interface CutSource {
  readonly cpu: SourceCpu;
  readonly layout: PageLayout;
  /** Added to its times. */
  readonly shift: bigint;
  /** The times to read, without the shift. */
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
  /** The type of events that must not come first after a cut, if there is one. */
  readonly notFirst: number | undefined;
  /** Where an event has its type. */
  readonly typeOffset: number;
  /** Sources of one group are merged with one another. */
  readonly group: string;
}
