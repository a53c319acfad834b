/** Messages between supervisor and worker over the channel of fork(); both import this file. */

/** Settings that are the same for every worker, passed as one JSON argument on the worker's command line. */
export interface WorkerSetup {
  /**
   * `splice`: a port or pipe that only this worker uses. `file`: a file of its own. `shared`: workers take turns writing
   * to it. `copied`: the same, but pages are copied.
   */
  readonly outlet: Outlet;
  /**
   * The bytes that frame headers begin with (protocol/frames.ts), in hexadecimal; undefined if the stream has pages
   * only.
   */
  readonly frameSync?: string | undefined;
  /** Interval for sending partial pages while running; 0 to send them only at a stop. */
  readonly flushIntervalMs: number;
  /** Maximum time that a stop, or the worker's exit, waits for a full port. */
  readonly stopTimeoutMs: number;
  /** The user to switch to; undefined to stay the same user. */
  readonly identity: { readonly uid: number; readonly gid: number } | undefined;
}

/** A worker's settings for its CPU: a JSON message, sent together with the CPU's descriptors. */
export interface Assignment {
  readonly cpu: number;
  /** Size of a sub-buffer, and so of every page moved. */
  readonly pageBytes: number;
  /** Number of pages that one splice moves into the empty pipe. */
  readonly pipePages: number;
}

export type Outlet = 'splice' | 'file' | 'shared' | 'copied';

/** Whether each worker has an outlet of its own. */
export function isOwnOutlet(outlet: Outlet): boolean {
  return outlet === 'splice' || outlet === 'file';
}

/**
 * The socket on which a worker receives its assignment and its CPU's descriptors; the next descriptor is fork's
 * channel.
 */
export const lendingFd = 3;

/** A CPU's descriptors, in the order in which they are sent. */
const lentNames = ['ring', 'pipeRead', 'pipeWrite', 'port', 'ledger', 'turn'] as const;

/**
 * Descriptor numbers in the process that owns them. `turn` is a file that a worker locks to write to a shared outlet.
 */
export type Lent = Readonly<Record<Exclude<(typeof lentNames)[number], 'turn'>, number>> & {
  readonly turn: number | undefined;
};

export function lentAsList(lent: Lent): number[] {
  return lentNames.map((name) => lent[name]).filter((fd) => fd !== undefined);
}

/** @returns undefined if the number of descriptors is wrong for this kind of outlet */
export function lentFromList(fds: readonly number[], outlet: Outlet): Lent | undefined {
  const [ring, pipeRead, pipeWrite, port, ledger, turn, ...more] = fds;
  if (ring === undefined || pipeRead === undefined || pipeWrite === undefined) return undefined;
  if (port === undefined || ledger === undefined || more.length > 0) return undefined;
  if ((turn === undefined) !== isOwnOutlet(outlet)) return undefined;
  return { ring, pipeRead, pipeWrite, port, ledger, turn };
}

export type ToWorker =
  /** An assignment is waiting in the socket. */
  | { readonly kind: 'serve' }
  /** Move pages from now on. */
  | { readonly kind: 'start' }
  /** Send what is in the ring now, at most `maxPages` (what the ring can hold), then report `stopped`. */
  | { readonly kind: 'stop'; readonly id: number; readonly maxPages: number }
  /** Empty the pipe into the port and exit. */
  | { readonly kind: 'leave' };

export type ToSupervisor =
  /** The worker has dropped its privileges and loaded all scripts. It waits for a CPU to serve. */
  | { readonly kind: 'loaded' }
  /** The worker waits for orders. It is pinned to its CPU unless the CPU is offline. */
  | { readonly kind: 'ready'; readonly pinned: boolean }
  | { readonly kind: 'stopped'; readonly id: number; readonly flushed: boolean; readonly heldBytes: number }
  /** This descriptor is dead for good; the worker exits after this message. */
  | { readonly kind: 'gone'; readonly what: 'ring' | 'port'; readonly code: string }
  /** Pages left the pipe and did not reach the port. */
  | { readonly kind: 'lost'; readonly bytes: number }
  /** The host end was disconnected, or is connected again. */
  | { readonly kind: 'host'; readonly connected: boolean };
