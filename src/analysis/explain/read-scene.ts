import { shiftedTimeOf } from '../../trace/events/shifted-time.ts';
import { type CpuEvents, maxDistance } from '../../trace/events/cpu-events.ts';
import type { EventFilter, Trace } from '../../trace/open.ts';
import type { Machine, Session } from '../../trace/session.ts';
import { hostTraceOf, type SessionThreads, threadsOf } from '../vcpu-threads.ts';
import { MachineReader, type ToTime } from './machine-reader.ts';
import type { Scene } from './scene/scene.ts';
import type { Cpu, MachineState } from './scene/state.ts';

/** Interval at which the event loop gets to run. */
const turnMs = 100;

/** What is known of the events of one CPU. */
interface Stream {
  readonly events: CpuEvents;
  readonly reader: MachineReader;
  readonly cpu: Cpu;
}

/** What was read into a scene. */
export interface ReadScene {
  /** By the machine's name, in the order of the session. */
  readonly readers: ReadonlyMap<string, MachineReader>;
  readonly threads: SessionThreads;
  /** Number of events read. */
  readonly events: number;
}

export interface ReadingOptions {
  /** The scene's times count from here: `originOf(session)`. */
  readonly origin: bigint;
  readonly times?: Pick<EventFilter, 'from' | 'to'>;
  /** Called after each event; if it returns a promise, that is awaited. */
  readonly afterEvent?: (() => Promise<void> | undefined) | undefined;
  /** Gets the number of events read so far, about every 100 ms. */
  readonly onProgress?: (events: number) => void;
  /** Rejects with its reason when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Moves a scene through all events of a session, to its end. Yields to the event loop about every 100 ms. Throws
 * Failure as `session.events` does.
 */
export async function readScene(session: Session, scene: Scene, options: ReadingOptions): Promise<ReadScene> {
  const { origin, times = {}, afterEvent, onProgress = () => {}, signal } = options;
  const threads = await threadsOf(session);
  const readers = readersOf(session, scene, origin, threads);
  const streams = new Map<CpuEvents, Stream>();
  let last: Stream | undefined;
  let shift: number | undefined;
  let events = 0;
  let turnAt = performance.now() + turnMs;
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
      const taken = afterEvent?.();
      if (taken !== undefined) await taken;
    }
    if (performance.now() < turnAt) continue;
    onProgress(events);
    signal?.throwIfAborted();
    await new Promise((resume) => void setImmediate(resume));
    turnAt = performance.now() + turnMs;
  }
  scene.end();
  return { readers, threads, events };
}

/** The tracing instance that is read: several may have the same events. */
export function bufferOf({ buffers }: Trace): string {
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
export function originOf({ machines }: Session): bigint {
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
