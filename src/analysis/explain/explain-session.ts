import { type CpuEvents, maxDistance } from '../../trace/events/cpu-events.ts';
import { shiftedTimeOf } from '../../trace/events/shifted-time.ts';
import type { EventFilter, Trace } from '../../trace/open.ts';
import type { Machine, Session } from '../../trace/session.ts';
import { MachineReader, type ToTime } from './machine-reader.ts';
import { clockOf, missingFrom, recordedPauses } from './recorded.ts';
import type { ExplainedClock, Explanation, GuestPause } from './result.ts';
import { type Pause, Scene } from './scene.ts';
import type { Cpu, MachineState } from './state.ts';

/** Interval at which the event loop gets to run. */
const turnMs = 100;
/** How much is read before `from`, to know what each CPU does. */
const leadNs = 1_000_000_000n;

export interface ExplainOptions {
  /** How many of the longest waits to explain. 10 by default. */
  readonly worst?: number;
  /** Only waits that are at least this long. */
  readonly overNs?: number;
  /** Only waits in this guest. Throws Failure (usage) if there is none of that name. */
  readonly guest?: string;
  /** Only waits of this task: its name, or its thread id. */
  readonly task?: string | number;
  /**
   * Only waits that end after `from` and begin before `to`: times of the host, if it was traced. By default its first and
   * last event: guests are traced a little longer, and nobody knows what the host did meanwhile.
   */
  readonly from?: bigint | undefined;
  readonly to?: bigint | undefined;
  /** When guests were paused, in times of the host, besides the pauses that are in their recordings. */
  readonly pauses?: readonly GuestPause[];
  /** Gets the number of events read so far, about every 100 ms. */
  readonly onProgress?: (events: number) => void;
}

/** What is known of the events of one CPU. */
interface Stream {
  readonly events: CpuEvents;
  readonly reader: MachineReader;
  readonly cpu: Cpu;
}

/**
 * Finds the longest waits of tasks in a session's guests, and who caused them: every nanosecond of a wait has one cause.
 * Reads all events once, in memory that depends on the number of CPUs and tasks only; yields to the event loop about
 * every 100 ms. Without the host's trace, only causes inside the guest are found. Throws Failure as `session.events` does.
 */
export async function explainSession(session: Session, options: ExplainOptions = {}): Promise<Explanation> {
  const { worst = 10, overNs = 0, guest, task, from, to, onProgress = () => {} } = options;
  if (guest !== undefined) session.machine(guest);
  const origin = originOf(session);
  const number = (time: bigint | undefined, otherwise: number): number =>
    time === undefined ? otherwise : Number(time - origin);
  const pauses = [...recordedPauses(session), ...(options.pauses ?? [])].map(
    (each): Pause => ({ machine: each.guest, from: number(each.from, 0), to: number(each.to, 0) }),
  );
  const traced = hostTraceOf(session)?.span();
  const scene = new Scene(
    {
      worst,
      overNs,
      from: number(from ?? traced?.first, -Infinity),
      to: number(to ?? traced?.last, Infinity),
      isWanted: ({ machine, name, tid }) =>
        (guest === undefined || machine.name === guest) &&
        (task === undefined || (typeof task === 'string' ? name === task : tid === task)),
    },
    pauses,
  );
  const readers = readersOf(session, scene, origin);
  const streams = new Map<CpuEvents, Stream>();
  let last: Stream | undefined;
  let shift: number | undefined;
  let events = 0;
  let turnAt = performance.now() + turnMs;
  const times = {
    ...(from !== undefined && { from: from > leadNs ? from - leadNs : 0n }),
    ...(to !== undefined && { to }),
  };
  const filter = ({ trace }: Machine): EventFilter => ({ ...times, buffers: [bufferOf(trace)] });
  for await (const batch of session.events(filter)) {
    for (const event of batch) {
      if (last !== undefined) lookAhead(scene, last);
      shift ??= Number(event.timeOrigin - origin);
      events++;
      let stream = streams.get(event.cpuEvents);
      if (stream === undefined) {
        const reader = readers.get(event.machine)!;
        stream = { events: event.cpuEvents, reader, cpu: reader.machine.cpu(event.cpu) };
        streams.set(event.cpuEvents, stream);
      }
      last = stream;
      const { time } = event;
      if (Math.abs(time) >= maxDistance) continue;
      scene.begin(stream.cpu, time + shift, event.pid);
      stream.reader.take(event, stream.cpu);
    }
    if (performance.now() < turnAt) continue;
    onProgress(events);
    await new Promise((resume) => void setImmediate(resume));
    turnAt = performance.now() + turnMs;
  }
  scene.end();
  return explanationOf(session, scene, readers, origin);
}

function hostTraceOf({ machines }: Pick<Session, 'machines'>): Trace | undefined {
  return machines.find(({ trace }) => trace.source.guests.length > 0)?.trace;
}

/** The tracing instance that is read: several may have the same events. */
function bufferOf({ buffers }: Trace): string {
  return (buffers.find(({ cpus }) => cpus.length > 0) ?? buffers[0])?.name ?? '';
}

/** Tells the scene about the next event of the CPU whose event came last. */
function lookAhead(scene: Scene, { events, reader, cpu }: Stream): void {
  if (events.ended) return;
  const isLost = events.lost !== undefined;
  if (isLost) MachineReader.lose(cpu);
  scene.ahead(cpu, events.time, events.pid, isLost, !reader.isKnown(events.id));
}

/** The scene's times count from here. */
function originOf({ machines }: Session): bigint {
  const spans = machines.map(({ trace }) => trace.span()).filter((span) => span !== undefined);
  return spans.reduce((least, { first }) => (first < least ? first : least), spans[0]?.first ?? 0n);
}

function readersOf({ machines }: Session, scene: Scene, origin: bigint): Map<string, MachineReader> {
  const readers = new Map<string, MachineReader>();
  const hostTrace = hostTraceOf({ machines });
  let host: MachineState | undefined;
  for (const { name, trace, vcpuTids, hasHostTimes } of machines) {
    // a guest's own times cannot be compared with the host's
    const state =
      trace === hostTrace
        ? (host = scene.host())
        : scene.guest(name, hasHostTimes ? host : undefined, vcpuTids);
    readers.set(
      name,
      new MachineReader(scene, state, trace.formats(), toTimeOf(trace.source.timeShift, origin)),
    );
  }
  // who took their CPUs, the host's trace alone says, too
  const traced = new Set(machines.map(({ trace }) => trace.source.traceId));
  for (const guest of hostTrace?.source.guests ?? [])
    if (!traced.has(guest.traceId)) scene.guest(guest.name, host, guest.vcpuTids);
  return readers;
}

function toTimeOf(timeShift: Parameters<typeof shiftedTimeOf>[0] | undefined, origin: bigint): ToTime {
  const shifts: (ReturnType<typeof shiftedTimeOf> | null)[] = [];
  return (stored, cpu) => {
    const shift = (shifts[cpu] ??= (timeShift && shiftedTimeOf(timeShift, cpu)) ?? null);
    return Number((shift === null || shift === undefined ? stored : shift.at(stored)) - origin);
  };
}

function explanationOf(
  session: Session,
  scene: Scene,
  readers: ReadonlyMap<string, MachineReader>,
  origin: bigint,
): Explanation {
  const clocks: Record<string, ExplainedClock> = {};
  for (const machine of session.machines) {
    const { machine: state } = readers.get(machine.name)!;
    if (!state.isHost) clocks[machine.name] = clockOf(machine, scene.checks.get(state)!);
  }
  const waits = scene.waits.worst.map(({ due, end, ...wait }) => ({
    ...wait,
    dueNs: origin + BigInt(Math.round(due)),
    endNs: origin + BigInt(Math.round(end)),
  }));
  const unknown = waits.flatMap(({ causes }) => causes.filter(({ kind }) => kind === 'unknown'));
  return {
    clocks,
    waits,
    waitCount: scene.waits.count,
    thieves: scene.thieves.result(scene.entities),
    unknownNs: unknown.reduce((sum, { ns }) => sum + ns, 0),
    missing: missingFrom(session, scene, [...readers.values()]),
  };
}

/** Converts to JSON values: times become strings. */
export function explanationAsJson(explanation: Explanation): object {
  return JSON.parse(
    JSON.stringify(explanation, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  );
}
