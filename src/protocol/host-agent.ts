/** How `trace-host record` starts the agent of its own host; both import this file. */

import type { ExitCode } from '../base/failure.ts';

/** The first word of the command line: no command of people. */
export const hostAgentWord = 'host-agent';
/** The second word: trace in an instance of the agent's own, or at the top level. Options of trace-agent follow. */
export const hostAgentPlaces = ['own', 'top'] as const;
export type HostAgentPlace = (typeof hostAgentPlaces)[number];

/** The control port: a stream socket. */
export const hostAgentControlFd = 3;
/** The pipes of the CPUs, in the order of `--cpus`; the channel of fork() is behind the last. */
export const firstPipeFd = 4;

/** What the agent sends over the channel of fork(). */
export type FromHostAgent =
  /** Orders are carried out. */
  | { readonly kind: 'ready' }
  /** It ends: the fields of a Failure. */
  | {
      readonly kind: 'failed';
      readonly exitCode: ExitCode;
      readonly message: string;
      readonly remedy: string;
    };

/** Names of the agent's instances begin with it (tracefs/instance.ts, `nameOfProcess`). */
export const hostInstancePrefix = 'trace-host';
