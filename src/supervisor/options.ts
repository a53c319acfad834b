import type { OrderName } from '../protocol/control.ts';

/** Everything that `trace-agent` can be told, checked and with its defaults filled in. */
export interface AgentOptions {
  /** CPU numbers to trace, ascending, each once; `undefined`: all that the machine has. */
  readonly cpus: readonly number[] | undefined;
  /** Raw pages to stdout instead of to the trace ports. */
  readonly stdout: boolean;
  /** With `stdout`: frames that tell whose pages are whose, and the metadata (protocol/frames.ts). */
  readonly framed: boolean;
  /** Capacity asked for each worker's pipe; a multiple of 4096 between 64 KiB and 1 MiB. */
  readonly pipeBytes: number;
  /** Directory of the named ports. */
  readonly portsDir: string;
  /** Trace port name with one `%d` for the CPU number. */
  readonly portName: string;
  /** Name of the control port below `portsDir`. */
  readonly controlPort: string;
  /** Whether `controlPort` was named by the user (with `stdout`, only a named one is waited for). */
  readonly controlPortGiven: boolean;
  /** Root of tracefs; `undefined`: look in the usual places. */
  readonly tracefs: string | undefined;
  /** tracefs instance to trace in, made when it is not there; `undefined`: the top-level one. */
  readonly instance: string | undefined;
  /** Start at once rather than at the host's order. */
  readonly start: boolean;
  /** Partial pages are sent at this interval while running; 0: only at a stop. */
  readonly flushIntervalMs: number;
  /** How long a port that takes nothing may hold up a stop. */
  readonly stopTimeoutMs: number;
  /** Restarts of one worker within 60 s before it is given up. */
  readonly maxRestarts: number;
  /** Keep one worker ready for the first CPU whose worker dies. */
  readonly standby: boolean;
  /** Whom workers become. */
  readonly user: string;
  /** Orders that the host may give. */
  readonly allow: ReadonlySet<OrderName>;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];
