/** An event, or with `event` undefined a whole system of them. */
export interface EventSpec {
  readonly system: string;
  readonly event: string | undefined;
}

/** Longer names no file system takes; user_events may use all of it. */
const maxPartBytes = 255;
/** Names of user_events have everything but blanks and colons; in tracefs each is a directory. */
const partForm = /^(?!\.\.?$)[^\s:/\p{Cc}]+$/u;

/**
 * Reads `sched`, `sched:sched_switch` or `sched/sched_switch`; undefined when it is none of these, or could lead out
 * of tracefs. Every character stands for itself: `*` is no pattern here.
 */
export function parseEventSpec(text: string): EventSpec | undefined {
  const [system = '', event, ...more] = text.split(/[:/]/, 3);
  if (more.length > 0 || !isPart(system) || (event !== undefined && !isPart(event))) return undefined;
  return { system, event };
}

function isPart(text: string): boolean {
  return partForm.test(text) && Buffer.byteLength(text) <= maxPartBytes;
}

export function formatEventSpec({ system, event }: EventSpec): string {
  return event === undefined ? system : `${system}:${event}`;
}
