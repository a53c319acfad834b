/** The messages of the control port; docs/protocol.md is the reference. */
export const orderNames = ['start', 'stop', 'status', 'metadata', 'ping'] as const;
export type OrderName = (typeof orderNames)[number];

/** Chosen by the host, returned unchanged: a string of at most 64 characters or a safe integer. */
export type OrderId = string | number;

/** The tracefs settings of a start; anything left out stays as it is in the guest. */
export interface TraceRequest {
  /** The tracefs instance to trace in; created if it does not exist. */
  readonly instance?: string;
  /** `system` for all of its events, or `system:event`. */
  readonly events?: readonly string[];
  /** Named as in `events`, and excluded from them: `sched` without `sched:sched_stat_runtime`. */
  readonly eventsOff?: readonly string[];
  /** Filter expression by `system:event`, or by `system` for all of its events. */
  readonly filters?: Readonly<Record<string, string>>;
  readonly tracer?: string;
  /** The only functions that a function tracer records: names and `*` patterns, as the kernel accepts them. */
  readonly functionFilter?: readonly string[];
  /** Functions that it does not record, whatever `functionFilter` says. */
  readonly functionNotrace?: readonly string[];
  /** Functions whose callees `function_graph` records. */
  readonly graphFunctions?: readonly string[];
  readonly clock?: string;
  /** Ring buffer of each CPU, in KiB. */
  readonly bufferKb?: number;
  /** How full a ring is when it wakes its reader, 0 to 100. */
  readonly bufferPercent?: number;
  /** Size of a sub-buffer, in KiB; kernel 6.8 and later. */
  readonly subBufferKb?: number;
  /** Triggers by `system:event`, in the kernel's syntax (`stacktrace if prev_pid == 1`); removed at the stop. */
  readonly triggers?: Readonly<Record<string, readonly string[]>>;
  /** Trace options, on or off, by their names in `options/`. */
  readonly options?: Readonly<Record<string, boolean>>;
  /** Tasks of the guest; events and functions of all others are not traced. */
  readonly pids?: readonly number[];
  /** With `pids`: their descendants too. */
  readonly children?: boolean;
  /** CPUs to trace, in the syntax of `tracing_cpumask`: hexadecimal, a comma every 32 bits; `-1` for all. */
  readonly cpuMask?: string;
  /** How deep `function_graph` follows calls; 0 for no limit. */
  readonly maxGraphDepth?: number;
  /** Keep the settings after the stop, with tracing off. */
  readonly keep?: boolean;
  /** Whether trace_printk is redirected to the traced instance. */
  readonly printk?: boolean;
}

interface Asked<Name extends OrderName> {
  readonly order: Name;
  /** `undefined`: the order has none; its answer says `null`. */
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
 * `names`: only what changes while a trace runs, the names of tasks; 1 % of the whole. `instance`: the few files that
 * belong to the traced instance, to be requested while it is traced.
 */
export const metadataParts = ['all', 'names', 'instance'] as const;
export type MetadataPart = (typeof metadataParts)[number];

/** Digests by group of files (`groupOf` of metadata-groups.ts): what the host already has of a guest's metadata. */
export type MetadataDigests = Readonly<Record<string, string>>;

export interface MetadataOrder extends Asked<'metadata'> {
  /** Left out: all. */
  readonly part?: MetadataPart;
  /** Groups that are not sent again when unchanged. With `all` only. */
  readonly have?: MetadataDigests;
}
export type PingOrder = Asked<'ping'>;
export type Order = StartOrder | StopOrder | StatusOrder | MetadataOrder | PingOrder;

/** Stable: a host may rely on them. docs/protocol.md explains each, and what to do. */
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

/** What one CPU's worker has moved since the agent began. */
export interface CpuAccount {
  /** Sub-buffers taken from the ring. */
  readonly pagesIn: number;
  readonly bytesOut: number;
  /** Bytes taken from the ring that never reach the host. */
  readonly bytesLost: number;
  /** How often the port was full. */
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

/** The ring's own `per_cpu/cpuN/stats`. Times are left out: their unit depends on the trace clock. */
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
  /** Why it is waiting; absent when it is not. */
  readonly reason?: string;
  /** The worker's process id; `null` while it has none. */
  readonly pid: number | null;
  readonly restarts: number;
  /** `null` when the ring cannot be read, e.g. of a CPU that was never online. */
  readonly ring: RingStats | null;
}

/** By CPU number in decimal, e.g. `"0"`. */
export type PerCpu<T> = Readonly<Record<string, T>>;

interface Answered {
  /** The order's id; `null` when it had none, or none could be read. */
  readonly id: OrderId | null;
  readonly ok: true;
}

/** What is traced, or was until this stop: where the pages come from. */
export interface TraceSource {
  /** The tracefs instance; `null` for the top level. */
  readonly instance: string | null;
  /** Its trace clock, as the kernel names it. */
  readonly clock: string;
  /** Size of a page of its rings, header included. */
  readonly pageBytes: number;
}

/** One CPU's counts at a start: they belong to earlier traces. */
export interface CpuBaseline {
  /** As in the ledger. Everything after them at the port belongs to this trace. */
  readonly bytesOut: number;
  readonly bytesHeld: number;
  /** All 0 in rings that this start created or emptied; `null` when the ring cannot be read. */
  readonly ring: RingStats | null;
}

export interface StartAnswer extends Answered, TraceSource {
  readonly state: AgentState;
  /** Left out by older agents. */
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

/** The guest's clocks in nanoseconds, as decimal strings: JSON numbers are exact up to 2^53 only. */
export interface PingAnswer extends Answered {
  readonly clocks: {
    readonly boottime: string;
    readonly monotonicRaw: string;
    readonly realtime: string;
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
