import { readAlignment } from '../../trace/recording/clock-files.ts';
import type { Machine } from '../../trace/session.ts';
import type { ExplainedClock } from './result.ts';

/** How a guest's times were converted to the host's. */
export function clockOf(
  { trace, hasHostTimes }: Machine,
  checks: Pick<ExplainedClock, 'samples' | 'violations'>,
): ExplainedClock {
  const none = { method: 'none', offsetNs: null, ratePpm: null, boundNs: null, ...checks };
  if (!hasHostTimes) return none;
  const pieces = trace.kind === 'recording' ? (readAlignment(trace.path)?.pieces ?? []) : [];
  const [first] = pieces;
  if (first !== undefined)
    return {
      ...checks,
      method: [...new Set(pieces.flatMap(({ methods }) => methods))].join(' and '),
      offsetNs: first.offsetNs,
      ratePpm: first.ratePpm,
      boundNs: pieces.reduce((most, { boundNs }) => Math.max(most, boundNs), 0),
    };
  const samples = trace.source.timeShift?.cpus.find(({ length }) => length > 0) ?? [];
  const [begin, end] = [samples[0], samples.at(-1)];
  if (begin === undefined || end === undefined) return none;
  const span = Number(end.time - begin.time);
  const ratePpm = span > 0 ? (Number(end.offset - begin.offset) / span) * 1e6 : 0;
  return { ...none, method: 'TIME_SHIFT', offsetNs: begin.offset, ratePpm };
}
