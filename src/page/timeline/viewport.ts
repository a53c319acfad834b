/** The part of the time that is shown, in nanoseconds from the timeline's start. */
export interface Viewport {
  readonly from: number;
  readonly to: number;
}

/** The shortest time that can be shown. */
const shortestNs = 100;

/** Keeps a viewport within the timeline. */
export function within(from: number, to: number, spanNs: number): Viewport {
  const length = Math.min(Math.max(to - from, shortestNs), Math.max(spanNs, shortestNs));
  const begin = Math.min(Math.max(0, from), Math.max(0, spanNs - length));
  return { from: begin, to: begin + length };
}

/** @param factor below 1 shows less; @param at the time that stays where it is */
export function zoomed({ from, to }: Viewport, factor: number, at: number, spanNs: number): Viewport {
  const length = Math.min(Math.max((to - from) * factor, shortestNs), spanNs);
  const place = (at - from) / (to - from);
  return within(at - place * length, at - place * length + length, spanNs);
}

/** @param part of the time that is shown; negative: to earlier times */
export function moved({ from, to }: Viewport, part: number, spanNs: number): Viewport {
  const by = (to - from) * part;
  return within(from + by, to + by, spanNs);
}

/** Round times for marks, at least `leastNs` apart. */
export function marks({ from, to }: Viewport, leastNs: number): number[] {
  const power = 10 ** Math.floor(Math.log10(leastNs));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= leastNs) ?? power * 10;
  const found: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}
