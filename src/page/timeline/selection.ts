import { slice, sliceKinds } from '../../analysis/timeline/slice-kinds.ts';
import type { TimelineIndex, TimelineRow } from '../../analysis/timeline/timeline-index.ts';
import { firstEndingAfter } from '../data/columns.ts';
import type { Tiles } from '../data/tiles.ts';
import { percent, shown } from '../parts/text.ts';
import { looks } from './palette.ts';

/** A slice that was clicked or is under the pointer. */
export interface SelectedSlice {
  readonly row: TimelineRow;
  readonly from: number;
  readonly to: number;
  readonly kind: number;
  readonly name: string;
  readonly busy: number;
}

/** The slice of a row at a time, or the next one up to `reachNs` later; undefined if there is none, or it has not come. */
export function sliceAt(
  tiles: Tiles,
  row: TimelineRow,
  level: number,
  time: number,
  reachNs = 0,
): SelectedSlice | undefined {
  for (const { slices, from, to } of tiles.visible(row.id, level, time, time + reachNs)) {
    if (slices === undefined) continue;
    const at = firstEndingAfter(slices, Math.max(time, from));
    if (at >= slices.count || slices.start[at]! > Math.min(time + reachNs, to)) continue;
    const start = slices.start[at]!;
    return {
      row,
      from: start,
      to: start + slices.dur[at]!,
      kind: slices.kind[at]!,
      name: tiles.index.strings[slices.name[at]!] ?? '',
      busy: slices.busy[at]! / 255,
    };
  }
  return undefined;
}

/** What a slice shows, in words. */
export function sliceText({ row, kind, name, busy }: SelectedSlice): string {
  const what = sliceKinds[kind] ?? 'lost';
  const { says } = looks[what];
  const text = shown(name);
  if (kind === slice.idle) return 'idle';
  if (kind === slice.running) return row.kind === 'cpu' ? `${text} runs` : `runs ${text}`;
  if (kind === slice.mixed) return `${says} ${text} (${percent(busy)} busy)`;
  return text === '' ? says : `${says} ${text}`;
}

export function placeText({ machine, host, kind, cpu }: TimelineRow): string {
  const name = host ? 'host' : shown(machine, 24);
  return kind === 'cpu' ? `${name} CPU ${cpu}` : `${name} vCPU ${cpu}`;
}

/** What a row showed most in a time: names with their shares of the time. */
export interface RowShares {
  readonly row: TimelineRow;
  readonly busy: number;
  readonly most: readonly { readonly text: string; readonly share: number }[];
}

const mostNames = 4;

/** Sums up what is loaded of each row between two times. */
export function sharesOf(
  tiles: Tiles,
  { rows, strings }: TimelineIndex,
  level: number,
  from: number,
  to: number,
): RowShares[] {
  return rows.map((row) => {
    const sums = new Map<string, number>();
    let busyNs = 0;
    for (const tile of tiles.visible(row.id, level, from, to)) {
      const { slices } = tile;
      if (slices === undefined) continue;
      const [first, last] = [Math.max(from, tile.from), Math.min(to, tile.to)];
      for (let at = firstEndingAfter(slices, first); at < slices.count && slices.start[at]! < last; at++) {
        const ns = Math.min(last, slices.start[at]! + slices.dur[at]!) - Math.max(first, slices.start[at]!);
        busyNs += ns * (slices.busy[at]! / 255);
        const kind = slices.kind[at]!;
        const name = strings[slices.name[at]!] ?? '';
        const text =
          kind === slice.running || kind === slice.idle || kind === slice.mixed
            ? shown(name)
            : `${looks[sliceKinds[kind] ?? 'lost'].says} ${shown(name)}`.trim();
        sums.set(text, (sums.get(text) ?? 0) + ns);
      }
    }
    const most = [...sums]
      .sort((a, b) => b[1] - a[1])
      .slice(0, mostNames)
      .map(([text, ns]) => ({ text, share: ns / (to - from) }));
    return { row, busy: busyNs / (to - from), most };
  });
}
