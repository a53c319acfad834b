import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import { defaultDir } from '../../../../host/guest-dir/location.ts';
import type { Given, GivenWord } from '../given.ts';
import { type HostSettingName, hostSettings } from '../host-settings.ts';
import { readRecord, type RecordCommand } from '../record-options.ts';
import { explainSettings } from './explain-settings.ts';
import { selectionSettings } from './selection.ts';
import type { TimePoint } from './time-point.ts';

/** The command line of `trace-host explain`. */
export interface ExplainCommand {
  /** The files to explain; empty if they are to be recorded first. */
  readonly inputs: readonly string[];
  readonly recording: RecordingToExplain | undefined;
  readonly guest: string | undefined;
  readonly task: string | number | undefined;
  readonly worst: number;
  readonly overNs: number;
  /** The file to write for the Perfetto UI. */
  readonly perfetto: string | undefined;
  readonly from: TimePoint | undefined;
  readonly to: TimePoint | undefined;
  readonly json: boolean;
}

/** A recording that is made to be explained. */
export interface RecordingToExplain {
  readonly options: RecordCommand;
  /** Whether its files stay; if not, only their names count, not the directory. */
  readonly isKept: boolean;
}

/** Options of the recording. `given.flag` and `given.get` give the defaults of the others that `record` has. */
export const recordingNames = [
  'duration',
  'maxSize',
  'maxKb',
  'bufferSize',
  'subBufferSize',
  'compress',
  'dir',
  'timeout',
] as const satisfies readonly HostSettingName[];
/** Those of them that are options of how a machine traces. They apply to all machines. */
const ofTracing: ReadonlySet<HostSettingName> = new Set(['bufferSize', 'subBufferSize']);

/** The events that explaining needs. */
const hostEvents = ['sched', 'irq', 'kvm'];
const guestEvents = ['sched', 'irq', 'irq_vectors', 'timer'];

/** Throws Failure (usage). */
export function readExplain(given: Given): ExplainCommand {
  const recording = readRecording(given);
  return {
    inputs: recording === undefined ? given.operands : [],
    recording,
    guest: given.get(explainSettings.explainGuest),
    task: given.get(explainSettings.explainTask),
    worst: given.read(hostSettings.worst),
    overNs: given.get(explainSettings.over) ?? 0,
    perfetto: given.get(explainSettings.perfetto),
    from: given.get(selectionSettings.from),
    to: given.get(selectionSettings.to),
    json: given.flag('json'),
  };
}

/** Undefined if there are files to explain. */
function readRecording(given: Given): RecordingToExplain | undefined {
  const guests = given.get(explainSettings.explainAgents);
  const [operand] = given.operands;
  if (guests === undefined) {
    for (const name of ['explainEvents', 'explainOutput', ...recordingNames] as const)
      if (given.sequence.some((word) => word.name === name))
        throw new Failure(
          exitCode.usage,
          `--${hostSettings[name].long} is an option for a recording, and no guest to record is given`,
          'add -A GUEST, or omit it',
        );
    if (operand !== undefined) return undefined;
    throw new Failure(
      exitCode.usage,
      'no file to explain, and no guest to record',
      "give the file of the host's recording, or -A GUEST to record now",
    );
  }
  // commander does not tell whether it came after `--`
  if (operand !== undefined && /\.(?:dat|recording)\/?$/.test(operand))
    throw new Failure(
      exitCode.usage,
      `${quoted(operand)} is given to be explained, and -A to record`,
      'omit -A to explain a file',
    );
  const wanted = given.get(explainSettings.explainGuest);
  if (wanted !== undefined && !guests.includes(wanted))
    throw new Failure(
      exitCode.usage,
      `--guest: ${quoted(wanted)} is not recorded`,
      `use one of ${guests.join(', ')}, or add -A ${wanted}`,
    );
  const [ofHost, ...ofGuests] = furtherEvents(given.sequence);
  const event = (text: string): GivenWord => ({ name: 'event', text });
  const sequence = [
    ...given.sequence.filter(({ name }) => ofTracing.has(name)),
    ...[...hostEvents, ...ofHost!.events].map(event),
    ...guests.flatMap((guest, index) => [
      { name: 'guests' as const, text: guest },
      ...[...guestEvents, ...ofGuests[index]!.events].map(event),
    ]),
  ];
  const location = { dir: given.get(hostSettings.dir) ?? defaultDir, guest: undefined };
  const options = readRecord(given, { sequence, location });
  const { host } = options;
  return {
    options: {
      ...options,
      host: host && { ...host, skipUnknown: [...hostEvents, ...ofHost!.mayLack] },
      guests: options.guests.map((guest, index) => ({
        ...guest,
        skipUnknown: [...guestEvents, ...ofGuests[index]!.mayLack],
      })),
    },
    isKept: given.get(explainSettings.explainOutput) !== undefined,
  };
}

interface FurtherEvents {
  readonly events: readonly string[];
  /** Those of them that the machine's kernel may lack: they were given for another machine. */
  readonly mayLack: readonly string[];
}

/** The events given for this host, then those for each guest: as in `record`, a guest without any takes those before it. */
function furtherEvents(given: readonly GivenWord[]): FurtherEvents[] {
  const own: string[][] = [[]];
  for (const { name, text } of given) {
    if (name === 'explainAgents') own.push([]);
    if (name === 'explainEvents') own.at(-1)!.push(text);
  }
  let before: readonly string[] = [];
  return own.map((events) => {
    if (events.length === 0) return { events: before, mayLack: before };
    before = events;
    return { events, mayLack: [] };
  });
}
