/** How `trace-host record` starts the agent of its own host; both import this file. */

import type { ExitCode } from '../base/failure.ts';

/** The first word of the command line; not a command for users. */
export const hostAgentWord = 'host-agent';
/** The second word: whether to trace in the agent's own instance or at the top level. Options of trace-agent follow. */
export const hostAgentPlaces = ['own', 'top'] as const;
export type HostAgentPlace = (typeof hostAgentPlaces)[number];

/** Descriptor of the control port, a stream socket. */
export const hostAgentControlFd = 3;
/**
 * Descriptor of the first CPU's file, or of the write end of its pipe. The others follow in the order of `--cpus`, then
 * the channel of fork().
 */
export const firstOutletFd = 4;

/** What the agent sends over the channel of fork(). */
export type FromHostAgent =
  /** The agent carries out orders from now on. */
  | { readonly kind: 'ready' }
  /** A CPU's file cannot be written any more; the errno's name. */
  | { readonly kind: 'outlet-failed'; readonly cpu: number; readonly code: string }
  /** The agent ends because of a Failure that has these fields. */
  | {
      readonly kind: 'failed';
      readonly exitCode: ExitCode;
      readonly message: string;
      readonly remedy: string;
    };

/** Names of the agent's instances begin with this (tracefs/instance.ts, `nameOfProcess`). */
export const hostInstancePrefix = 'trace-host';
