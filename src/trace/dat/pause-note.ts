/**
 * A time in which QEMU did not run its guest. It begins between `hostFrom` and `pausedFrom` and ends between `pausedTo`
 * and `hostTo`. All are nanoseconds of the host's trace clock, in decimal; null if unknown.
 */
export interface RecordedPause {
  readonly hostFrom: string;
  readonly pausedFrom: string | null;
  readonly pausedTo: string | null;
  /** Null if it lasted until the end of the recording. */
  readonly hostTo: string | null;
}

/** Maximum number of pauses to keep. */
export const mostPauses = 1000;
const noteStart = ' (paused by the host at ';
const noteForm = /^ \(paused by the host at ([\d?/, -]+)\)$/;
const pauseForm = /^(\d{1,20})\/(\d{1,20}|\?)-(\d{1,20}|\?)\/(\d{1,20}|\?)$/;
/** Four numbers of 20 digits, and what is between them. */
const longestPause = 90;

/**
 * Suffix for the name of the program that wrote the file of a guest: when it was paused. A trace.dat has no option for
 * that: trace-cmd warns of options that it does not know. Empty without a pause.
 */
export function pauseNote(pauses: readonly RecordedPause[] = []): string {
  const known = (time: string | null): string => time ?? '?';
  const listed = pauses
    .slice(0, mostPauses)
    .map(
      ({ hostFrom, pausedFrom, pausedTo, hostTo }) =>
        `${hostFrom}/${known(pausedFrom)}-${known(pausedTo)}/${known(hostTo)}`,
    );
  return listed.length === 0 ? '' : `${noteStart}${listed.join(', ')})`;
}

/** Splits a writer's name into the program and that note; `pauses` is undefined without a note. */
export function withoutPauses(writer: string): {
  readonly writer: string;
  readonly pauses?: readonly RecordedPause[];
} {
  const at = writer.lastIndexOf(noteStart);
  if (at < 0 || writer.length - at > noteStart.length + mostPauses * longestPause) return { writer };
  const listed = noteForm.exec(writer.slice(at))?.[1]?.split(', ') ?? [];
  const pauses = listed.flatMap((text): RecordedPause[] => {
    const [, hostFrom, ...others] = pauseForm.exec(text) ?? [];
    if (hostFrom === undefined) return [];
    const [pausedFrom = null, pausedTo = null, hostTo = null] = others.map((time) =>
      time === '?' ? null : time,
    );
    return [{ hostFrom, pausedFrom, pausedTo, hostTo }];
  });
  if (pauses.length === 0 || pauses.length < listed.length) return { writer };
  return { writer: writer.slice(0, at), pauses };
}
