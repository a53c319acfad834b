import { errorCode } from '../../base/error-code.ts';
import type { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { kernelWords } from '../error-log.ts';
import { type EventSpec, formatEventSpec } from '../../protocol/event-name.ts';
import { SettingsError } from './settings-error.ts';
import type { Tracefs } from '../tracefs.ts';

export function setEventFilter(tracefs: Tracefs, applied: Applied, spec: EventSpec, filter: string): void {
  const file = filterFile(spec);
  const old = tracefs.read(file);
  applied.remember('quiesce', file, () => putFilterBack(tracefs, file, old));
  writeFilter(tracefs, spec, filter);
}

/**
 * The kernel sets the filter for each event that has the fields, and removes the filters of the others. It reports no
 * error even when no event accepted it (seen on 6.18), so this checks the events' own files.
 */
export function setSystemFilter(tracefs: Tracefs, applied: Applied, spec: EventSpec, filter: string): void {
  const file = filterFile(spec);
  const old = tracefs.read(file);
  const eventFiles: string[] = [];
  for (const event of tracefs.eventsOf(spec.system)) {
    const eventFile = filterFile({ ...spec, event });
    const oldOfEvent = tracefs.readIfThere(eventFile);
    if (oldOfEvent === undefined) continue;
    eventFiles.push(eventFile);
    applied.remember('quiesce', eventFile, () => putFilterBack(tracefs, eventFile, oldOfEvent));
  }
  applied.remember('quiesce', file, () => putFilterBack(tracefs, file, old));
  writeFilter(tracefs, spec, filter);
  if (eventFiles.some((eventFile) => tracefs.readIfThere(eventFile)?.trim() === filter)) return;
  throw new SettingsError(
    'bad-filter',
    `filter of ${spec.system} refused: none of its events accepts "${filter}"`,
  );
}

function writeFilter(tracefs: Tracefs, spec: EventSpec, filter: string): void {
  attempt(
    'bad-filter',
    `filter of ${formatEventSpec(spec)}`,
    () => tracefs.write(filterFile(spec), filter),
    () => kernelWords(tracefs, filter),
  );
}

function filterFile({ system, event }: EventSpec): string {
  return event === undefined ? `events/${system}/filter` : `events/${system}/${event}/filter`;
}

function putFilterBack(tracefs: Tracefs, file: string, old: string): void {
  if (tracefs.read(file) === old) return;
  const [expression = '', ...more] = old.trimEnd().split('\n');
  // `none`, or the comment that a system without a filter shows.
  if (expression === 'none' || expression.startsWith('###')) {
    tracefs.write(file, '0');
    return;
  }
  try {
    tracefs.write(file, expression);
  } catch (error) {
    // A rejected expression stays in the filter file, followed by the error message, and no filter is active. Writing
    // it again is rejected again, which restores exactly that state.
    if (more.length === 0 || errorCode(error) !== 'EINVAL') throw error;
  }
}
