import type { PageLayout } from '../ring/page-layout.ts';
import type { SourceCpu } from '../source/source.ts';

/** A CPU's pages, which are to be cut into parts. */
export interface CutSource {
  readonly cpu: SourceCpu;
  readonly layout: PageLayout;
  /** Added to the CPU's times. */
  readonly shift: bigint;
  /** The time range to read, before the shift is added. */
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
  /** The type of events that must not come first after a cut, if there is one. */
  readonly notFirst: number | undefined;
  /** Offset of the event type in a record's data. */
  readonly typeOffset: number;
  /** Sources of the same group are merged. */
  readonly group: string;
}
