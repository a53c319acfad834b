import type { ClockPiece } from '../../trace/dat/clock-quality.ts';
import { type CpuEvents, maxDistance } from '../../trace/events/cpu-events.ts';
import { shiftedTimeOf } from '../../trace/events/shifted-time.ts';
import type { EventFilter, Trace } from '../../trace/open.ts';
import type { Machine, Session } from '../../trace/session.ts';
import { hostTraceOf, type SessionThreads, threadsOf } from '../vcpu-threads.ts';
import { namedCause } from './scene/causes.ts';
import { MachineReader, type ToTime } from './machine-reader.ts';
import { boundBetween, clockOf, missingFrom, piecesOf, recordedPauses } from './recorded.ts';
import type { ExplainedClock, Explanation, GuestPause, VcpuStretch, Wait } from './result.ts';
import { Scene } from './scene/scene.ts';
import type { Pause } from './scene/vcpus.ts';
import type { Cpu, MachineState } from './scene/state.ts';
import { timeOf, VcpuStretches } from './vcpu-stretches.ts';
import { checkGuest, checkTask } from './wanted.ts';

/** Interval at which the event loop gets to run. */
const turnMs = 100;
/** How much is read before `from`, to know what each CPU does. */
const leadNs = 1_000_000_000n;
/** Stretches that are kept of all waits together. */
const mostOfWaits = 1 << 18;

export interface ExplainOptions {
  /** How many of the longest waits to explain. 10 by default. */
  readonly worst?: number;
  /** Only waits that are at least this long. */
  readonly overNs?: number;
  /** Only waits in this guest. Rejects with Failure (usage) if there is none of that name. */
  readonly guest?: string;
  /** Only waits of this task: its name, or its thread id. Rejects with Failure (usage) if no event names it. */
  readonly task?: string | number;
  /**
   * Only waits that end after `from` and begin before `to`: times of the host, if it was traced. By default its first and
   * last event: guests are traced a little longer, and nobody knows what the host did meanwhile.
   */
  readonly from?: bigint | undefined;
  readonly to?: bigint | undefined;
  /** When guests were paused, in times of the host, besides the pauses that are in their files. */
  readonly pauses?: readonly GuestPause[];
  /** How the clocks of guests ran, by the guest's name, for files that only have the worst of it. */
  readonly pieces?: ReadonlyMap<string, readonly ClockPiece[]>;
  /** Whether each wait has its `stretches`. False by default. */
  readonly stretches?: boolean;
  /**
   * Gets the stretches in which vCPUs did not run, those of each vCPU in the order of time, in the time of `from` and `to`.
   * They come late: when they are certain. If it returns a promise, that is awaited. Nothing is known of vCPUs unless the
   * host was traced; of a guest whose file is missing, `unknown` stretches are left out.
   */
  readonly onVcpuStretch?: (stretch: VcpuStretch) => Promise<void> | undefined;
  /** Gets the number of events read so far, about every 100 ms. */
  readonly onProgress?: (events: number) => void;
  /** Rejects with its reason when aborted. */
  readonly signal?: AbortSignal;
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
  const { worst = 10, overNs = 0, guest, task, from, to, signal, onProgress = () => {} } = options;
  if (guest !== undefined) checkGuest(session, guest);
  const origin = originOf(session);
  const number = (time: bigint | undefined, otherwise: number): number =>
    time === undefined ? otherwise : Number(time - origin);
  const pauses = [...recordedPauses(session), ...(options.pauses ?? [])].map(
    (each): Pause => ({ machine: each.guest, from: number(each.from, 0), to: number(each.to, 0) }),
  );
  const hostTrace = hostTraceOf(session);
  const traced = hostTrace?.span({ buffers: [bufferOf(hostTrace)] });
  const [begin, end] = [number(from ?? traced?.first, -Infinity), number(to ?? traced?.last, Infinity)];
  const { onVcpuStretch } = options;
  const vcpus = onVcpuStretch && new VcpuStretches(onVcpuStretch, { origin, begin, end });
  const scene = new Scene(
    {
      worst,
      overNs,
      from: begin,
      to: end,
      stretches: options.stretches === true ? mostOfWaits : 0,
      isWanted: ({ machine, name, tid }) =>
        (guest === undefined || machine.name === guest) &&
        (task === undefined || (typeof task === 'string' ? name === task : tid === task)),
    },
    pauses,
    vcpus?.take,
  );
  const threads = await threadsOf(session);
  const readers = readersOf(session, scene, origin, threads);
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
      if (last !== undefined) lookAhead(scene, last, shift!);
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
      if (vcpus !== undefined && vcpus.isFull) await vcpus.giveOut(scene);
    }
    if (performance.now() < turnAt) continue;
    onProgress(events);
    signal?.throwIfAborted();
    await new Promise((resume) => void setImmediate(resume));
    turnAt = performance.now() + turnMs;
  }
  scene.end();
  if (task !== undefined && scene.waits.count === 0) checkTask(task, guest, [...readers.values()]);
  if (vcpus !== undefined) for (const _ of scene.lastCauses()) await vcpus.giveOut(scene);
  return explanationOf(session, scene, readers, origin, threads, options);
}

/** The tracing instance that is read: several may have the same events. */
function bufferOf({ buffers }: Trace): string {
  return (buffers.find(({ cpus }) => cpus.length > 0) ?? buffers[0])?.name ?? '';
}

/** Tells the scene about the next event of the CPU whose event came last. */
function lookAhead(scene: Scene, { events, reader, cpu }: Stream, shift: number): void {
  if (events.ended) return;
  const isLost = events.lost !== undefined;
  if (isLost) MachineReader.lose(cpu);
  scene.ahead(cpu, events.time + shift, events.pid, isLost, !reader.isKnown(events.id));
}

/** The scene's times count from here. */
function originOf({ machines }: Session): bigint {
  const spans = machines.map(({ trace }) => trace.span()).filter((span) => span !== undefined);
  return spans.reduce((least, { first }) => (first < least ? first : least), spans[0]?.first ?? 0n);
}

function readersOf(
  { machines }: Session,
  scene: Scene,
  origin: bigint,
  threads: SessionThreads,
): Map<string, MachineReader> {
  const readers = new Map<string, MachineReader>();
  const hostTrace = hostTraceOf({ machines });
  let host: MachineState | undefined;
  for (const { name, trace, hasHostTimes } of machines) {
    // a guest's own times cannot be compared with the host's
    const state =
      trace === hostTrace
        ? (host = scene.host())
        : scene.guest(name, hasHostTimes ? host : undefined, threads.of(name));
    readers.set(
      name,
      new MachineReader(scene, state, trace.formats(), toTimeOf(trace.source.timeShift, origin)),
    );
  }
  // who took their CPUs, the host's trace alone says, too
  const traced = new Set(machines.map(({ trace }) => trace.source.traceId));
  for (const guest of hostTrace?.source.guests ?? [])
    if (!traced.has(guest.traceId)) scene.guest(guest.name, host, threads.of(guest.name));
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
  threads: SessionThreads,
  { pieces: given = new Map(), stretches: withStretches = false }: ExplainOptions,
): Explanation {
  const clocks: Record<string, ExplainedClock> = {};
  const pieces = new Map<string, readonly ClockPiece[]>();
  for (const machine of session.machines) {
    const { name, hasHostTimes } = machine;
    const { machine: state } = readers.get(name)!;
    if (state.isHost) continue;
    const own = hasHostTimes ? (given.get(name) ?? piecesOf(machine)) : [];
    pieces.set(name, own);
    clocks[name] = clockOf(machine, own, scene.checks.get(state)!);
  }
  const waits = scene.waits.worst().map(({ due, end, stretches, ...wait }): Wait => {
    const [dueNs, endNs] = [timeOf(due, origin), timeOf(end, origin)];
    const boundNs = boundBetween(pieces.get(wait.machine) ?? [], dueNs, endNs);
    return {
      ...wait,
      dueNs,
      endNs,
      ...(boundNs !== undefined && { boundNs }),
      ...(withStretches && {
        stretches: stretches.map(({ code, entity, from, to }) => ({
          ...namedCause(code, entity, scene.entities),
          beginNs: timeOf(from, origin),
          endNs: timeOf(to, origin),
        })),
      }),
    };
  });
  const unknown = waits.flatMap(({ causes }) => causes.filter(({ kind }) => kind === 'unknown'));
  return {
    clocks,
    waits,
    waitCount: scene.waits.count,
    thieves: scene.thieves.result(scene.entities),
    unknownNs: unknown.reduce((sum, { ns }) => sum + ns, 0),
    missing: missingFrom(session, scene, [...readers.values()], threads),
  };
}

/** Converts to JSON values: times become strings. The `stretches` of waits are left out. */
export function explanationAsJson(explanation: Explanation): object {
  return JSON.parse(
    JSON.stringify(explanation, (key, value: unknown) => {
      if (key === 'stretches') return undefined;
      return typeof value === 'bigint' ? String(value) : value;
    }),
  );
}
