import { defaultDir } from '../../../host/guest-dir/location.ts';
import type { Given, GivenWord } from './given.ts';
import { hostSettings } from './host-settings.ts';
import { readRecord, type RecordCommand } from './record-options.ts';

/** The command line of `trace-host top`. */
export interface TopCommand {
  /** What to record; only the names of its files count, not their directory. */
  readonly recording: RecordCommand;
  readonly delayMs: number;
  readonly once: boolean;
  readonly json: boolean;
}

/** The events that the figures need. */
const events = ['sched:sched_switch', 'sched:sched_waking', 'irq'];
const hostEvents = [...events, 'sched:sched_migrate_task'];
/** Newest pages kept of each CPU; older ones have been counted. */
const keptBytes = 8 << 20;
/** What the kernel uses for a new instance; given, so that it is known how full a ring is. */
const ringKb = '1408';

/** Throws Failure (usage). */
export function readTop(given: Given): TopCommand {
  const guests = given.get(hostSettings.guests) ?? [];
  const isChosen = given.sequence.some(({ name }) => name === 'event' || name === 'plugin');
  const withHost = given.flag('host') || guests.length === 0 || !isChosen;
  const recording = readRecord(given, {
    sequence: isChosen ? given.sequence : withDefaults(given.sequence),
    location: { dir: given.get(hostSettings.dir) ?? defaultDir, guest: undefined },
    withHost,
  });
  return {
    recording: { ...recording, capBytes: keptBytes, quiet: true },
    delayMs: given.read(hostSettings.delay),
    once: given.flag('once'),
    json: given.flag('json'),
  };
}

/** Adds to each machine's options the events that it needs. */
function withDefaults(given: readonly GivenWord[]): readonly GivenWord[] {
  const words = (names: readonly string[]): GivenWord[] => names.map((text) => ({ name: 'event', text }));
  const isSized = given.some(({ name }) => name === 'bufferSize');
  return [
    ...(isSized ? [] : [{ name: 'bufferSize' as const, text: ringKb }]),
    ...words(hostEvents),
    ...given.flatMap((word) => (word.name === 'guests' ? [word, ...words(events)] : [word])),
  ];
}
