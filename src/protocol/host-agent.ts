/** How `trace-host record` starts the agent of its own host; both import this file. */

/** The first word of the command line: no command of people. */
export const hostAgentWord = 'host-agent';
/** The second word: trace in an instance of the agent's own, or at the top level. Options of trace-agent follow. */
export const hostAgentPlaces = ['own', 'top'] as const;

/** The control port: a stream socket. */
export const hostAgentControlFd = 3;
/** The pipes of the CPUs, in the order of `--cpus`; the channel of fork() is behind the last. */
export const firstPipeFd = 4;

/** Names of the agent's instances begin with it (tracefs/instance.ts, `nameOfProcess`). */
export const hostInstancePrefix = 'trace-host';
