/** An event, or all events of a system if `event` is undefined. */
export interface EventSpec {
  readonly system: string;
  readonly event: string | undefined;
}

/**
 * Maximum length of each part of a name: no file system allows longer names, and user_events may use the full
 * length.
 */
const maxPartBytes = 255;
/** Names of user_events may contain anything but whitespace and colons. In tracefs, each name is a directory. */
const partForm = /^(?!\.\.?$)[^\s:/\p{Cc}]+$/u;

/**
 * Reads `sched`, `sched:sched_switch` or `sched/sched_switch`; undefined for anything else, and for a name that could
 * lead out of tracefs. `*` is not a wildcard here.
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
