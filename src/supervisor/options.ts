import type { OrderName } from '../protocol/control.ts';

/** All options of `trace-agent`, checked and with defaults filled in. */
export interface AgentOptions {
  /** The numbers of the CPUs to trace, ascending, each once; `undefined` for all present CPUs. */
  readonly cpus: readonly number[] | undefined;
  /** Whether to write raw pages to stdout instead of the trace ports. */
  readonly stdout: boolean;
  /** With `stdout`, whether to write frames (protocol/frames.ts), which name the CPU of each page, and the metadata. */
  readonly framed: boolean;
  /** Requested capacity of each worker's pipe; a multiple of 4096 between 64 KiB and 1 MiB. */
  readonly pipeBytes: number;
  /** Directory of the named ports. */
  readonly portsDir: string;
  /** Trace port name with one `%d` for the CPU number. */
  readonly portName: string;
  /** Name of the control port below `portsDir`. */
  readonly controlPort: string;
  /** Whether the user named `controlPort`. With `start` or `stdout`, only a named control port must exist. */
  readonly controlPortGiven: boolean;
  /** The root of tracefs; `undefined` to look for it in the usual places. */
  readonly tracefs: string | undefined;
  /** The tracefs instance to trace in, created if it does not exist; `undefined` for the top level. */
  readonly instance: string | undefined;
  /** Whether to start at once, without an order from the host. */
  readonly start: boolean;
  /** Interval for sending partial pages while running; 0 to send them only at a stop. */
  readonly flushIntervalMs: number;
  /** Maximum time that a full port may delay a stop. */
  readonly stopTimeoutMs: number;
  /** Maximum number of restarts of one worker within 60 s. A worker that dies more often is given up. */
  readonly maxRestarts: number;
  /** Whether to keep one worker ready for the first CPU whose worker dies. */
  readonly standby: boolean;
  /** The user that workers switch to. */
  readonly user: string;
  /** Orders that are accepted from the host. */
  readonly allow: ReadonlySet<OrderName>;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];
