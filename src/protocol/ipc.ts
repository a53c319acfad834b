/** What supervisor and worker say to each other over fork's channel; both import this file. */

/** What a worker must know whatever its CPU: one JSON argument on its command line. */
export interface WorkerSetup {
  /** `splice`: the outlet is this worker's alone. `shared`: take turns on it. `copied`: take turns, and write. */
  readonly outlet: Outlet;
  /** What frame headers begin with (protocol/frames.ts), in hexadecimal; undefined: pages alone. */
  readonly frameSync?: string | undefined;
  /** Partial pages are sent at this interval while running; 0: only at a stop. */
  readonly flushIntervalMs: number;
  /** How long a port that takes nothing may hold up a stop, or the worker's end. */
  readonly stopTimeoutMs: number;
  /** Whom to become; undefined: stay who we are. */
  readonly identity: { readonly uid: number; readonly gid: number } | undefined;
}

/** What it must know of the CPU that it is to serve: a message of JSON, the CPU's descriptors with it. */
export interface Assignment {
  readonly cpu: number;
  /** Size of a sub-buffer, and so of every page moved. */
  readonly pageBytes: number;
  /** How many pages one splice brings into the empty pipe. */
  readonly pipePages: number;
}

export type Outlet = 'splice' | 'shared' | 'copied';

/** The socket on which a worker is lent its CPU's descriptors, with its assignment; the channel is behind it. */
export const lendingFd = 3;

/** A CPU's descriptors, in the order in which they are lent. */
const lentNames = ['ring', 'pipeRead', 'pipeWrite', 'port', 'ledger', 'turn'] as const;

/** By number, as their owner has them. `turn`: the file whose lock is the turn on a shared outlet. */
export type Lent = Readonly<Record<Exclude<(typeof lentNames)[number], 'turn'>, number>> & {
  readonly turn: number | undefined;
};

export function lentAsList(lent: Lent): number[] {
  return lentNames.map((name) => lent[name]).filter((fd) => fd !== undefined);
}

/** @returns undefined when they are too few or too many for such an outlet */
export function lentFromList(fds: readonly number[], outlet: Outlet): Lent | undefined {
  const [ring, pipeRead, pipeWrite, port, ledger, turn, ...more] = fds;
  if (ring === undefined || pipeRead === undefined || pipeWrite === undefined) return undefined;
  if (port === undefined || ledger === undefined || more.length > 0) return undefined;
  if ((turn === undefined) !== (outlet === 'splice')) return undefined;
  return { ring, pipeRead, pipeWrite, port, ledger, turn };
}

export type ToWorker =
  /** An assignment lies in the socket. */
  | { readonly kind: 'serve' }
  /** Move pages from now on. */
  | { readonly kind: 'start' }
  /** Send what is in the ring now, at most `maxPages` (what the ring can hold), then say `stopped`. */
  | { readonly kind: 'stop'; readonly id: number; readonly maxPages: number }
  /** Empty the pipe into the port and exit. */
  | { readonly kind: 'leave' };

export type ToSupervisor =
  /** Unprivileged, with all its scripts, waiting for a CPU to serve. */
  | { readonly kind: 'loaded' }
  /** Pinned (or not: the CPU is offline), waiting for orders. */
  | { readonly kind: 'ready'; readonly pinned: boolean }
  | { readonly kind: 'stopped'; readonly id: number; readonly flushed: boolean; readonly heldBytes: number }
  /** This descriptor is dead for good; the worker exits behind this message. */
  | { readonly kind: 'gone'; readonly what: 'ring' | 'port'; readonly code: string }
  /** Pages left the pipe and did not reach the port. */
  | { readonly kind: 'lost'; readonly bytes: number }
  /** The host end is not connected, or is again. */
  | { readonly kind: 'host'; readonly connected: boolean };
