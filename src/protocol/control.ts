/** The messages of the control port; docs/protocol.md is the reference. */
export const orderNames = ['start', 'stop', 'status', 'metadata', 'ping'] as const;
export type OrderName = (typeof orderNames)[number];

/** Chosen by the host, returned unchanged: a string of at most 64 characters or a safe integer. */
export type OrderId = string | number;

/** The tracefs settings in a start order; any setting left out keeps its current value in the guest. */
export interface TraceRequest {
  /** The tracefs instance to trace in; created if it does not exist. */
  readonly instance?: string;
  /** The events to enable: `system` for all events of a system, or `system:event`. */
  readonly events?: readonly string[];
  /** Events to exclude from `events`, in the same form: e.g. `sched:sched_stat_runtime` if `events` has `sched`. */
  readonly eventsOff?: readonly string[];
  /** Filter expressions. The key is `system:event`, or `system` for all events of a system. */
  readonly filters?: Readonly<Record<string, string>>;
  readonly tracer?: string;
  /** The only functions that a function tracer records: names and `*` patterns, as the kernel accepts them. */
  readonly functionFilter?: readonly string[];
  /** Functions that a function tracer does not record, even if `functionFilter` includes them. */
  readonly functionNotrace?: readonly string[];
  /** Functions whose callees `function_graph` records. */
  readonly graphFunctions?: readonly string[];
  readonly clock?: string;
  /** Size of each CPU's ring buffer, in KiB. */
  readonly bufferKb?: number;
  /** How full a ring must be, in per cent, before the kernel wakes its reader; 0 to 100. */
  readonly bufferPercent?: number;
  /** Size of a sub-buffer, in KiB; kernel 6.8 and later. */
  readonly subBufferKb?: number;
  /**
   * Triggers in the kernel's syntax (`stacktrace if prev_pid == 1`), removed at the stop. The key is `system:event`.
   */
  readonly triggers?: Readonly<Record<string, readonly string[]>>;
  /** Trace options to switch on or off. The keys are their names in `options/`. */
  readonly options?: Readonly<Record<string, boolean>>;
  /** Pids of tasks of the guest. Events and functions of all other tasks are not traced. */
  readonly pids?: readonly number[];
  /** Trace the descendants of `pids` too. */
  readonly children?: boolean;
  /** CPUs to trace, in the syntax of `tracing_cpumask`: hexadecimal, a comma every 32 bits; `-1` for all. */
  readonly cpuMask?: string;
  /** Maximum call depth for `function_graph`; 0 for no limit. */
  readonly maxGraphDepth?: number;
  /** Keep the settings after the stop, with tracing off. */
  readonly keep?: boolean;
  /** Whether trace_printk is redirected to the traced instance. */
  readonly printk?: boolean;
}

interface Asked<Name extends OrderName> {
  readonly order: Name;
  /** `undefined` if the order has no id; the answer's id is then `null`. */
  readonly id: OrderId | undefined;
  /** False for the bare `1` and `0`, which get no answer. */
  readonly answer: boolean;
}

export interface StartOrder extends Asked<'start'> {
  readonly trace?: TraceRequest;
}
export type StopOrder = Asked<'stop'>;
export type StatusOrder = Asked<'status'>;
/**
 * Parts of the metadata that a host may request. `names`: the names of tasks. Only they change while a trace runs, and
 * they are 1 % of the total size. `instance`: the few files that belong to the traced instance; request them while it
 * is traced.
 */
export const metadataParts = ['all', 'names', 'instance'] as const;
export type MetadataPart = (typeof metadataParts)[number];

/**
 * Digests of the metadata that the host already has, one for each group of files (`groupOf` of metadata-groups.ts).
 */
export type MetadataDigests = Readonly<Record<string, string>>;

export interface MetadataOrder extends Asked<'metadata'> {
  /** The part to send; default: `all`. */
  readonly part?: MetadataPart;
  /** Groups that the host already has; unchanged ones are not sent again. Only with part `all`. */
  readonly have?: MetadataDigests;
}
export type PingOrder = Asked<'ping'>;
export type Order = StartOrder | StopOrder | StatusOrder | MetadataOrder | PingOrder;

/** Error codes. They are stable, so a host may rely on them. docs/protocol.md explains each code and its remedy. */
export const errorCodes = [
  'line-too-long',
  'bad-json',
  'not-an-object',
  'bad-id',
  'unknown-order',
  'unknown-field',
  'not-allowed',
  'bad-trace',
  'unknown-event',
  'bad-filter',
  'bad-trigger',
  'unknown-option',
  'unknown-tracer',
  'unknown-function',
  'unknown-clock',
  'bad-value',
  'busy',
  'superseded',
  'failed',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export const agentStates = ['stopped', 'starting', 'running', 'stopping'] as const;
export type AgentState = (typeof agentStates)[number];

export const cpuStates = [
  'absent',
  'waiting',
  'queued',
  'starting',
  'ready',
  'running',
  'stopping',
  'parting',
  'leaving',
  'backing-off',
  'failed',
  'ended',
] as const;
export type CpuState = (typeof cpuStates)[number];

/** Totals of what the workers of one CPU have moved since the agent started. */
export interface CpuAccount {
  /** Sub-buffers taken from the ring. */
  readonly pagesIn: number;
  readonly bytesOut: number;
  /** Bytes taken from the ring that never reach the host. */
  readonly bytesLost: number;
  /** Number of times the port was full. */
  readonly stalls: number;
}

/** One CPU's totals at the end of a stop. */
export interface CpuLedger extends CpuAccount {
  /** Bytes that the port did not accept within the stop timeout; they are kept, and sent first at the next start. */
  readonly bytesHeld: number;
  /** Whether everything that was in the ring when the order arrived was sent. */
  readonly flushed: boolean;
  /** The ring's statistics after the flush; `null` when they cannot be read. */
  readonly ring: RingStats | null;
}

/** The ring's own `per_cpu/cpuN/stats`. Times are omitted, because their unit depends on the trace clock. */
export interface RingStats {
  readonly entries: number;
  readonly overrun: number;
  readonly commitOverrun: number;
  readonly bytes: number;
  readonly droppedEvents: number;
  readonly readEvents: number;
}

export interface CpuStatus extends CpuAccount {
  readonly state: CpuState;
  /** The reason why the CPU is waiting; absent when it is not. */
  readonly reason?: string;
  /** The worker's process id; `null` while it has none. */
  readonly pid: number | null;
  readonly restarts: number;
  /** `null` when the ring cannot be read, e.g. of a CPU that was never online. */
  readonly ring: RingStats | null;
}

/** Values by CPU number in decimal, e.g. `"0"`. */
export type PerCpu<T> = Readonly<Record<string, T>>;

interface Answered {
  /** The order's id; `null` when the order had no id, or its id could not be read. */
  readonly id: OrderId | null;
  readonly ok: true;
}

/** The source of the pages: what is being traced, or was traced until this stop. */
export interface TraceSource {
  /** The tracefs instance; `null` for the top level. */
  readonly instance: string | null;
  /** The trace clock, as the kernel names it. */
  readonly clock: string;
  /** Size of a page of its rings, header included. */
  readonly pageBytes: number;
}

/** One CPU's totals before a start; they belong to earlier traces. */
export interface CpuBaseline {
  /** Bytes sent to the port before this start; later bytes belong to this trace. Counted as in the ledger. */
  readonly bytesOut: number;
  readonly bytesHeld: number;
  /** All 0 in rings that this start created or emptied; `null` when the ring cannot be read. */
  readonly ring: RingStats | null;
}

export interface StartAnswer extends Answered, TraceSource {
  readonly state: AgentState;
  /** Each CPU's counts before this start; omitted by older agents. */
  readonly cpus?: PerCpu<CpuBaseline>;
}

export interface StopAnswer extends Answered, TraceSource {
  readonly state: AgentState;
  readonly ledger: PerCpu<CpuLedger>;
}

export interface StatusAnswer extends Answered, TraceSource {
  readonly version: string;
  readonly uptimeMs: number;
  readonly state: AgentState;
  readonly cpus: PerCpu<CpuStatus>;
}

/** This line is followed by `bytes` bytes: a gzipped tar of tracefs files. */
export interface MetadataAnswer extends Answered {
  readonly bytes: number;
  readonly encoding: 'gzip';
  /** Groups of the order's `have` that are unchanged and therefore not in the archive. Absent without `have`. */
  readonly same?: readonly string[];
}

/** The guest's clocks in nanoseconds, as decimal strings: JSON numbers are exact only up to 2^53. */
export interface PingAnswer extends Answered {
  readonly clocks: {
    readonly boottime: string;
    readonly monotonicRaw: string;
    readonly realtime: string;
    /** CLOCK_MONOTONIC; absent from older agents' answers. */
    readonly monotonic?: string;
    /** Cycles of the TSC, on x86 processors only. */
    readonly x86Tsc?: string;
  };
}

export interface ErrorAnswer {
  readonly id: OrderId | null;
  readonly ok: false;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** The answer that belongs to each order. */
export interface AnswerOf {
  readonly start: StartAnswer;
  readonly stop: StopAnswer;
  readonly status: StatusAnswer;
  readonly metadata: MetadataAnswer;
  readonly ping: PingAnswer;
}

export type Answer = AnswerOf[OrderName] | ErrorAnswer;
