import { exitCode, Failure } from '../base/failure.ts';
import { nearNames } from '../base/near-names.ts';
import { quoted } from '../base/quoted.ts';
import { compileFilter } from './filter/compile.ts';
import { EventChoice } from './filter/event-choice.ts';
import type { EventFormat } from './format/event-format.ts';

/** Which events to read; all by default. An event must satisfy every property that is given. */
export interface EventFilter {
  /** CPUs of the guest. */
  readonly cpus?: Iterable<number>;
  /** Events as `system:event`, or `system` for all its events. */
  readonly events?: Iterable<string>;
  /** Thread ids, or names of tasks: the thread that was running when the event happened. */
  readonly tasks?: Iterable<number | string>;
  /**
   * Filters in the syntax of trace-cmd's `-F` (docs/filters.md); an event must pass at least one. A stack trace that no
   * filter names passes if the event before it does.
   */
  readonly where?: Iterable<string>;
  /** Filters in the same syntax, as after `-v`: events that pass one of them are excluded. */
  readonly exclude?: Iterable<string>;
  /** Time range, inclusive, in the unit of the trace clock. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** Names of tracing instances; empty for the top level. */
  readonly buffers?: Iterable<string>;
  /**
   * The name of the kernel function that contains an address, for filters that compare an address with a text. Without
   * it, they compare the address in hexadecimal form.
   */
  readonly functionAt?: (address: bigint) => string | undefined;
}

/** What a filter is applied to. */
export interface FilterTarget {
  readonly path: string;
  /** All formats; called only if something is to be filtered. */
  readonly formats: () => readonly EventFormat[];
  /** The name of a task; undefined if unknown. */
  readonly task: (pid: number) => string | undefined;
  readonly tasks: Iterable<readonly [pid: number, name: string]>;
}

/** Compiles a filter, except for CPUs and times; undefined if all events pass. Throws Failure (usage). */
export function choiceOf(filter: EventFilter, target: FilterTarget): EventChoice | undefined {
  const { events, tasks } = filter;
  const [where, exclude] = [[...(filter.where ?? [])], [...(filter.exclude ?? [])]];
  if (events === undefined && tasks === undefined && where.length + exclude.length === 0) return undefined;
  const formats = target.formats();
  const names = { task: target.task, ...(filter.functionAt && { functionAt: filter.functionAt }) };
  return new EventChoice({
    ids: events && idsOf(events, target.path, formats),
    pids: tasks && pidsOf(tasks, target),
    where: where.map((text) => compileFilter(text, formats, names)),
    exclude: exclude.map((text) => compileFilter(text, formats, names)),
    stackIds: new Set(formats.filter(({ fullName }) => stackTraces.has(fullName)).map(({ id }) => id)),
  });
}

const stackTraces: ReadonlySet<string> = new Set(['ftrace:kernel_stack', 'ftrace:user_stack']);

function idsOf(names: Iterable<string>, path: string, formats: readonly EventFormat[]): Set<number> {
  const ids = new Set<number>();
  for (const name of names) {
    const found = formats.filter(({ fullName, system }) => fullName === name || system === name);
    if (found.length === 0) {
      const known = new Set(formats.flatMap(({ fullName, system }) => [fullName, system]));
      throw unknown(`${path} has no event ${quoted(name)}`, name, known, 'give system:event or a system');
    }
    for (const { id } of found) ids.add(id);
  }
  return ids;
}

function pidsOf(tasks: Iterable<number | string>, target: FilterTarget): Set<number> {
  const pids = new Set<number>();
  for (const task of tasks) {
    if (typeof task === 'number') {
      pids.add(task);
      continue;
    }
    const known = [...target.tasks];
    if (target.task(0) === task) pids.add(0);
    const found = known.filter(([, name]) => name === task);
    for (const [pid] of found) pids.add(pid);
    if (found.length === 0 && target.task(0) !== task) {
      const names = new Set(known.map(([, name]) => name));
      throw unknown(`${target.path} has no task ${quoted(task)}`, task, names, 'give a thread id');
    }
  }
  return pids;
}

function unknown(message: string, name: string, known: ReadonlySet<string>, otherwise: string): Failure {
  const near = nearNames(name, [...known]);
  const remedy = near.length > 0 ? `did you mean ${near.map(quoted).join(' or ')}?` : otherwise;
  return new Failure(exitCode.usage, message, remedy);
}
