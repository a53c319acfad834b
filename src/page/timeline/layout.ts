import type { TimelineIndex, TimelineRow } from '../../analysis/timeline/timeline-index.ts';

export const gutterPx = 168;
export const rulerPx = 24;
const headPx = 24;
const cpuPx = 32;
const vcpuPx = 20;
const gapPx = 2;

/** Where a row is; a heading has no row. */
export interface PlacedRow {
  readonly row: TimelineRow | undefined;
  readonly title: string;
  readonly top: number;
  readonly height: number;
}

export interface Layout {
  readonly placed: readonly PlacedRow[];
  readonly height: number;
}

/** A heading for each machine, then its rows; tops count from below the ruler. */
export function layoutOf({ rows }: TimelineIndex): Layout {
  const placed: PlacedRow[] = [];
  let top = 0;
  let machine: string | undefined;
  for (const row of rows) {
    if (row.machine !== machine) {
      machine = row.machine;
      placed.push({ row: undefined, title: row.host ? 'Host' : row.machine, top, height: headPx });
      top += headPx;
    }
    const height = row.kind === 'cpu' ? cpuPx : vcpuPx;
    placed.push({ row, title: row.kind === 'cpu' ? row.label : `vCPU ${row.cpu} on host`, top, height });
    top += height + gapPx;
  }
  return { placed, height: top };
}
