import { errorCode } from '../../base/error-code.ts';
import type { EventSpec } from '../../protocol/event-name.ts';
import { formatEventSpec } from '../../protocol/event-name.ts';
import type { Applied } from './applied.ts';
import { attempt } from './attempt.ts';
import { kernelWords } from '../error-log.ts';
import { SettingsError } from './settings-error.ts';
import type { Tracefs } from '../tracefs.ts';

/** Trigger commands that change an existing histogram. They are refused, because the change could not be undone. */
const ofAnother = /^hist:.*:(?:pause|cont|continue|clear)(?:[:\s]|$)/;

/** Sets triggers, and has them removed by `quiesce`. The caller restores `tracing_on`, which triggers may change. */
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
        `trigger "${trigger}" of ${formatEventSpec({ system, event })} changes an existing one`,
      );
    attempt(
      'bad-trigger',
      `trigger "${trigger}" of ${formatEventSpec({ system, event })}`,
      () => tracefs.write(file, trigger),
      (errno) =>
        errno === 'EEXIST' ? 'the event already has one of this kind' : kernelWords(tracefs, trigger),
    );
    applied.remember('quiesce', file, () => takeAway(tracefs, file, trigger));
  }
}

function takeAway(tracefs: Tracefs, file: string, trigger: string): void {
  try {
    tracefs.write(file, `!${trigger}`);
  } catch (error) {
    // The trigger is already gone: ENOENT, or EINVAL for a hist trigger.
    if (errorCode(error) !== 'EINVAL') throw error;
    if (tracefs.readIfThere(file)?.includes(trigger.split(/[\s:]/)[0] ?? trigger) === true) throw error;
  }
}
