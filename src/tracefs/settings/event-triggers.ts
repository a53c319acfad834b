import { errorCode } from '../../base/error-code.ts';
import type { EventSpec } from '../../protocol/event-name.ts';
import { formatEventSpec } from '../../protocol/event-name.ts';
import type { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { kernelWords } from '../error-log.ts';
import { SettingsError } from './settings-error.ts';
import type { Tracefs } from '../tracefs.ts';

/** The kernel takes these for a histogram that is there, and what they did could not be put back. */
const ofAnother = /^hist:.*:(?:pause|cont|continue|clear)(?:[:\s]|$)/;

/** Whatever its triggers have switched on or off, `tracing_on` is again as it was. */
export function setTriggers(
  tracefs: Tracefs,
  applied: Applied,
  { system, event = '' }: EventSpec,
  triggers: readonly string[],
): void {
  const file = `events/${system}/${event}/trigger`;
  for (const trigger of triggers.map((text) => text.trim())) {
    if (ofAnother.test(trigger))
      throw new SettingsError(
        'bad-trigger',
        `trigger "${trigger}" of ${formatEventSpec({ system, event })} changes one that is there`,
      );
    attempt(
      'bad-trigger',
      `trigger "${trigger}" of ${formatEventSpec({ system, event })}`,
      () => tracefs.write(file, trigger),
      (errno) =>
        errno === 'EEXIST' ? 'the event has one of this kind already' : kernelWords(tracefs, trigger),
    );
    applied.remember('quiesce', file, () => takeAway(tracefs, file, trigger));
  }
}

function takeAway(tracefs: Tracefs, file: string, trigger: string): void {
  try {
    tracefs.write(file, `!${trigger}`);
  } catch (error) {
    // A trigger of this kind that is gone already: ENOENT, and EINVAL of a hist trigger.
    if (errorCode(error) !== 'EINVAL') throw error;
    if (tracefs.readIfThere(file)?.includes(trigger.split(/[\s:]/)[0] ?? trigger) === true) throw error;
  }
}
