import type { GivenWord } from './given.ts';
import { namesOf } from './subcommand.ts';
import { traceSettings } from './trace-settings.ts';

/** What one machine traces: the options that apply to it, in order. */
export interface Section {
  readonly words: readonly GivenWord[];
  /**
   * Whether the machine traces what another section selects. If so, its kernel may lack some of the selected events.
   */
  readonly taken: boolean;
}

export interface Sections {
  /** Undefined if this host is not traced. */
  readonly host: Section | undefined;
  /** In the order of their -A options; empty if there are none. */
  readonly guests: readonly Section[];
}

const ofTraces: ReadonlySet<string> = new Set(namesOf(traceSettings));
const selecting: ReadonlySet<string> = new Set(['event', 'plugin']);
/** Options for how to trace. A section takes them from the section before it, even if it selects events of its own. */
const ways: ReadonlySet<string> = new Set(['clock', 'bufferSize', 'subBufferSize']);
/** Options that a section never takes from another: they name something in one machine, or change that machine. */
const ofOneMachine: ReadonlySet<string> = new Set([
  'instance',
  'pid',
  'children',
  'cpuMask',
  'keep',
  'printk',
]);

/**
 * Divides the options of `record` among machines, as trace-cmd does: those before the first -A are this host's, those
 * after an -A are that guest's. A section that selects nothing (-e, -p) takes the options of the section before it. If
 * no section before it selects anything, it takes those of the first section that does.
 *
 * The host is traced if its section selects something, or with --host. If the host is not traced, its options apply to
 * all guests.
 */
export function sectionsOf(given: readonly GivenWord[], withHost: boolean): Sections {
  const [first = [], ...own] = split(given);
  const isHost = withHost || (own.length > 0 && first.some(selects));
  if (own.length === 0) {
    const only = { words: first, taken: false };
    return isHost ? { host: only, guests: [] } : { host: undefined, guests: [only] };
  }
  const all = isHost ? [first, ...own] : own;
  const chosen = all.find((words) => words.some(selects)) ?? [];
  const sections: Section[] = [];
  // if the host is not traced, its options come first for every guest
  const common = isHost ? [] : first;
  let before: readonly GivenWord[] = [];
  for (const words of all) {
    const selectsOwn = words.some(selects);
    const base = before.some(selects) ? before : [...chosen, ...before];
    const from = base.filter(({ name }) => (selectsOwn ? ways.has(name) : !ofOneMachine.has(name)));
    before = [...from, ...words];
    sections.push({ words: [...common, ...before], taken: !selectsOwn });
  }
  return isHost ? { host: sections[0], guests: sections.slice(1) } : { host: undefined, guests: sections };
}

function selects({ name }: GivenWord): boolean {
  return selecting.has(name);
}

/** The options that select what to trace: those before the first -A, then those after each -A. */
export function split(given: readonly GivenWord[]): readonly (readonly GivenWord[])[] {
  const parts: GivenWord[][] = [[]];
  for (const word of given) {
    if (word.name === 'guests') parts.push([]);
    else if (ofTraces.has(word.name)) parts.at(-1)?.push(word);
  }
  return parts;
}
