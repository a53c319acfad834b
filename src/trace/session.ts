import { basename, dirname, extname, join } from 'node:path';
import { existsSync } from 'node:fs';
import { exitCode, Failure } from '../base/failure.ts';
import { quoted } from '../base/quoted.ts';
import type { EventFilter } from './event-filter.ts';
import type { TimeOrigin } from './events/cpu-events.ts';
import { type EventBatch, eventBatches } from './events/event-batches.ts';
import { openTrace, type Trace } from './open.ts';
import { outOfRecording, recordingDirOf } from './recording/recording-dir.ts';

/** One of the machines of a session: the host, or a guest. */
export interface Machine {
  /** `host`, the name that the host's file gives the guest, or else the name of the file without its extension. */
  readonly name: string;
  readonly trace: Trace;
  /** Host thread id of each vCPU, by vCPU; empty for the host, and if unknown. */
  readonly vcpuTids: ReadonlyMap<number, number>;
  /** Whether its times are those of the host. */
  readonly hasHostTimes: boolean;
}

/**
 * Opens the traces of a host and its guests that were recorded together. One path is the host's file: its guests' files
 * are looked for next to it, by the names that `trace-host record` and trace-cmd give them (`s.dat`, `s-web.dat`); next to
 * a host's recording directory, those of its guests. With several paths, only these are opened. The caller closes the session. Throws Failure that names the path.
 */
export async function openSession(
  paths: string | readonly string[],
  { findGuests = true, hostTimes = true }: SessionSettings = {},
): Promise<Session> {
  const given = typeof paths === 'string' ? [paths] : paths;
  const traces: Trace[] = [];
  const missing: string[] = [];
  try {
    for (const path of given) traces.push(await openTrace(path, { hostTimes }));
    const [first] = traces;
    if (first === undefined)
      throw new Failure(exitCode.usage, 'no trace', 'give the file of the host or of a guest');
    if (given.length === 1 && findGuests)
      for (const { name, traceId } of first.source.guests) {
        const path = guestPath(first.path, name);
        const trace = existsSync(path) ? await openTrace(path, { hostTimes }) : undefined;
        if (trace?.source.traceId === traceId) traces.push(trace);
        else {
          await trace?.close();
          missing.push(name);
        }
      }
    return new Session(machinesOf(traces, hostTimes), missing);
  } catch (error) {
    for (const trace of traces) await trace.close();
    throw error;
  }
}

export interface SessionSettings {
  /** Whether to look for the files of a host's guests if only one path is given. True by default. */
  readonly findGuests?: boolean;
  /** As for `openTrace`. */
  readonly hostTimes?: boolean;
}

/** Path of the file, or recording directory, of a guest that was recorded together with its host. */
export function guestPath(hostPath: string, guest: string): string {
  const out = outOfRecording(hostPath);
  if (out !== undefined) return recordingDirOf(guestPath(out, guest));
  const extension = extname(hostPath);
  // the name comes from a file: it must not lead to another directory
  const name = guest.replaceAll('/', '_');
  return join(dirname(hostPath), `${basename(hostPath, extension)}-${name}${extension}`);
}

/** The host first, then the guests in the order given. Throws Failure if there are two hosts. */
function machinesOf(traces: readonly Trace[], hostTimes: boolean): Machine[] {
  const hosts = traces.filter(({ source }) => source.guests.length > 0);
  const [named, other] = hosts;
  const host = named ?? traces.find((trace) => isHostOf(trace, traces));
  if (named !== undefined && other !== undefined)
    throw new Failure(
      exitCode.usage,
      `${named.path} and ${other.path} are both files of hosts`,
      'give the files of one host and its guests',
    );
  const names = new Set<string>();
  const ordered = host === undefined ? traces : [host, ...traces.filter((trace) => trace !== host)];
  return ordered.map((trace) => {
    const { traceId, timeShift } = trace.source;
    const guest = host?.source.guests.find((each) => each.traceId === traceId);
    const isHost = trace === host;
    const name = unique(isHost ? 'host' : (guest?.name ?? basename(trace.path, extname(trace.path))), names);
    const vcpuTids = guest?.vcpuTids ?? new Map<number, number>();
    const isShifted = hostTimes && timeShift !== undefined && timeShift.peerId === host?.source.traceId;
    const hasHostTimes = isHost || isShifted;
    return { name, trace, vcpuTids, hasHostTimes };
  });
}

/** Whether another file has times that can be converted to those of this one: it may not name its guests. */
function isHostOf({ source: { traceId } }: Trace, traces: readonly Trace[]): boolean {
  return traceId !== undefined && traces.some(({ source }) => source.timeShift?.peerId === traceId);
}

function unique(name: string, names: Set<string>): string {
  let each = name;
  for (let count = 2; names.has(each); count++) each = `${name}-${count}`;
  names.add(each);
  return each;
}

/** The open traces of a session. Texts come from the machines and may contain control characters. */
export class Session {
  /** The host comes first, if there is one. */
  readonly machines: readonly Machine[];
  /** Guests named by the host's file whose files were not found. */
  readonly missing: readonly string[];

  /** @internal */
  constructor(machines: readonly Machine[], missing: readonly string[]) {
    this.machines = machines;
    this.missing = missing;
  }

  /** The machine of that name. Throws Failure (usage) if there is none. */
  machine(name: string): Machine {
    const found = this.machines.find((machine) => machine.name === name);
    if (found !== undefined) return found;
    throw new Failure(
      exitCode.usage,
      `the session has no machine ${quoted(name)}`,
      `it has ${this.machines.map((machine) => quoted(machine.name)).join(', ')}`,
    );
  }

  /**
   * All events of all machines in time order, as `Trace.events` gives them for one; `event.machine` names the machine.
   * Machines without the host's times are merged by their own times.
   * @param filter one filter for all machines, or a function that gives each machine's filter; undefined leaves the
   * machine out
   */
  events(
    filter: EventFilter | ((machine: Machine) => EventFilter | undefined) = {},
  ): AsyncGenerator<EventBatch, void, undefined> {
    const origin: TimeOrigin = { ns: undefined };
    const streams = this.machines.flatMap((machine) => {
      const own = typeof filter === 'function' ? filter(machine) : filter;
      const settings = { origin, machine: machine.name, machines: this.machines.length };
      return own === undefined ? [] : machine.trace.streams(own, settings);
    });
    return eventBatches(streams, origin);
  }

  /** Closes all files. An iteration that is still in progress fails. */
  async close(): Promise<void> {
    for (const { trace } of this.machines) await trace.close();
  }
}
