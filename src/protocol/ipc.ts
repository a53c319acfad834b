/** What supervisor and worker say to each other over fork's channel; both import this file. */

/** What a worker must know before its first turn: one JSON argument on its command line. */
export interface WorkerSetup {
  readonly cpu: number;
  /** Size of a sub-buffer, and so of every page moved. */
  readonly pageBytes: number;
  /** How many pages one splice brings into the empty pipe. */
  readonly pipePages: number;
  /** `splice`: the outlet is this worker's alone. `shared`: take turns on it. `copied`: take turns, and write. */
  readonly outlet: Outlet;
  /** What frame headers begin with (protocol/frames.ts), in hexadecimal; undefined: pages alone. */
  readonly frameSync?: string | undefined;
  /** Partial pages are sent at this interval while running; 0: only at a stop. */
  readonly flushIntervalMs: number;
  /** How long a port that takes nothing may hold up a stop, or the worker's end. */
  readonly stopTimeoutMs: number;
  /** Whom to become once pinned; undefined: stay who we are. */
  readonly identity: { readonly uid: number; readonly gid: number } | undefined;
}

export type Outlet = 'splice' | 'shared' | 'copied';

/** Descriptors that a worker inherits, by number: fork's `stdio` array in this order, the channel behind them. */
export const inherited = { ring: 3, pipeRead: 4, pipeWrite: 5, port: 6, ledger: 7, turn: 8 } as const;

export type ToWorker =
  /** Move pages from now on. */
  | { readonly kind: 'start' }
  /** Send what is in the ring now, at most `maxPages` (what the ring can hold), then say `stopped`. */
  | { readonly kind: 'stop'; readonly id: number; readonly maxPages: number }
  /** Empty the pipe into the port and exit. */
  | { readonly kind: 'leave' };

export type ToSupervisor =
  /** Pinned (or not: the CPU is offline) and unprivileged, waiting for orders. */
  | { readonly kind: 'ready'; readonly pinned: boolean }
  | { readonly kind: 'stopped'; readonly id: number; readonly flushed: boolean; readonly heldBytes: number }
  /** This descriptor is dead for good; the worker exits behind this message. */
  | { readonly kind: 'gone'; readonly what: 'ring' | 'port'; readonly code: string }
  /** Pages left the pipe and did not reach the port. */
  | { readonly kind: 'lost'; readonly bytes: number }
  /** The host end is not connected, or is again. */
  | { readonly kind: 'host'; readonly connected: boolean };
