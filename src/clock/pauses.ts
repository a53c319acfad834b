import type { ClockPing } from '../trace/recording/clock-files.ts';
import type { RecordedPause } from '../trace/dat/pause-note.ts';
import type { Break } from './map/observations.ts';

/**
 * The pauses of a guest's recording as breaks. A pause that lasted until the end of the recording is none: no time of
 * the guest lies beyond it. If the guest was pinged after it nevertheless, it ended before that.
 */
export function breaksOf(pauses: readonly RecordedPause[] = [], pings: readonly ClockPing[] = []): Break[] {
  return pauses.flatMap((pause): Break[] => {
    const hostFrom = BigInt(pause.hostFrom);
    const pausedFrom = pause.pausedFrom === null ? undefined : BigInt(pause.pausedFrom);
    const pausedTo = pause.pausedTo === null ? undefined : BigInt(pause.pausedTo);
    const hostTo = pause.hostTo === null ? pingedAfter(pausedFrom ?? hostFrom, pings) : BigInt(pause.hostTo);
    if (hostTo === undefined || hostTo < hostFrom) return [];
    const isPeriod =
      pausedFrom !== undefined &&
      pausedTo !== undefined &&
      pausedFrom <= pausedTo &&
      pausedFrom >= hostFrom &&
      pausedTo <= hostTo;
    return [{ hostFrom, hostTo, ...(isPeriod && { pausedFrom, pausedTo }) }];
  });
}

/** When the first ping that was sent after a moment was answered; undefined if none was. */
function pingedAfter(host: bigint, pings: readonly ClockPing[]): bigint | undefined {
  let first: bigint | undefined;
  for (const { hostBefore, hostAfter } of pings)
    if (hostBefore >= host && (first === undefined || hostAfter < first)) first = hostAfter;
  return first;
}
