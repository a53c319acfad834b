import { nearNames } from '../../base/near-names.ts';
import { quoted } from '../../base/quoted.ts';
import type { EventFormat } from '../format/event-format.ts';
import { filterFailure } from './filter-error.ts';
import { PatternError, posixRegExp } from './posix-regexp.ts';

/**
 * The events named by a list such as `system/event, event, system`. As in trace-cmd, each part is a regular expression
 * that must match the whole name. Throws Failure (usage) if a part names no event.
 * @param filter the whole filter, whose first `end` characters are the list
 */
export function eventsNamed(filter: string, end: number, formats: readonly EventFormat[]): EventFormat[] {
  const found = new Set<EventFormat>();
  let at = 0;
  for (const part of filter.slice(0, end).split(',')) {
    const [first = '', second] = part.split('/').map((name) => name.trim());
    const start = at + part.length - part.trimStart().length;
    at += part.length + 1;
    if (first === '' || second === '')
      throw filterFailure(
        filter,
        start,
        'missing event name',
        'start with an event, e.g. sched_switch: prev_pid == 1',
      );
    const system = second === undefined ? undefined : expression(filter, start, first);
    const event = expression(filter, start, second ?? first);
    const named = formats.filter((format) =>
      system === undefined
        ? event.test(format.name) || event.test(format.system)
        : system.test(format.system) && event.test(format.name),
    );
    if (named.length === 0) throw unknownEvent(filter, start, part.trim(), formats);
    for (const format of named) found.add(format);
  }
  return [...found];
}

function expression(filter: string, at: number, pattern: string): RegExp {
  try {
    return posixRegExp(pattern, true);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw filterFailure(
      filter,
      at,
      `${quoted(pattern)} is not a regular expression: ${error.message}`,
      'name an event',
    );
  }
}

function unknownEvent(filter: string, at: number, name: string, formats: readonly EventFormat[]): Error {
  const known = new Set(formats.flatMap(({ fullName, name, system }) => [fullName, name, system]));
  const near = nearNames(name.replace('/', ':'), [...known]).map((each) => each.replace(':', '/'));
  const remedy =
    near.length > 0 ? `did you mean ${near.map(quoted).join(' or ')}?` : 'name an event, or system/event';
  return filterFailure(filter, at, `unknown event ${quoted(name)}`, remedy);
}
