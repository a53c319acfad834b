/** What the daemon's API answers, as far as the page reads it. Names come from machines and may contain anything. */

export interface Guest {
  readonly name: string;
  readonly state: 'stopped' | 'tracing' | 'recording' | 'gone';
  readonly agent: { readonly version: string; readonly uptimeMs: number; readonly restarts: number } | null;
  readonly cpus: number;
  readonly lostBytes: number;
  /** Id of the job that records or watches it. */
  readonly job: string | null;
  /** Why it cannot be used. */
  readonly why: string | null;
}

export interface Guests {
  readonly guests: readonly Guest[];
  readonly host: { readonly cpus: number; readonly hostname: string };
}

export interface FrameCpu {
  readonly cpu: number;
  readonly busyShare: number | null;
  readonly irqShare: number | null;
  readonly stealShare: number | null;
  readonly ringFill: number | null;
  readonly topTask: { readonly comm: string; readonly pid: number; readonly share: number } | null;
  readonly lostBytes: number;
  readonly overrun: number;
}

export interface FrameMachine {
  /** Null for the host. */
  readonly name: string | null;
  readonly host: boolean;
  readonly state: 'tracing' | 'gone' | 'paused';
  readonly agentVersion: string | null;
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly lostBytes: number;
  readonly overrun: number;
  readonly restarts: number;
  readonly cpus: readonly FrameCpu[];
  readonly tasks: readonly { readonly comm: string; readonly pid: number; readonly share: number }[];
  readonly steal: readonly {
    readonly byComm: string;
    readonly byPid: number;
    readonly share: number;
    readonly guestCpu: number;
  }[];
  readonly wakeups: {
    readonly count: number;
    readonly p50Ns: number;
    readonly p99Ns: number;
    readonly maxNs: number;
    /** Upper ends of the buckets, powers of two, and how many wakeups each has. */
    readonly histogram: readonly (readonly [upperNs: number, count: number])[];
  } | null;
  /** Events that would have to be traced for figures that are null. */
  readonly missing?: readonly string[];
}

export interface Frame {
  readonly at: string;
  readonly spanMs: number;
  readonly machines: readonly FrameMachine[];
}

export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly guests: readonly string[];
  readonly host: boolean;
  readonly startedAt: string;
  readonly state: string;
  readonly progress: unknown;
  readonly error: string | null;
}

export interface Recording {
  readonly id: string;
  readonly createdAt: string;
  readonly bytes: number;
  readonly spanNs: number | string | null;
  readonly lostBytes: number;
  readonly overrun: number;
  readonly machines: readonly {
    readonly name: string | null;
    readonly host: boolean;
    readonly file: string;
    readonly bytes: number;
    readonly cpus: number;
  }[];
  readonly whole: boolean;
  readonly state: 'recording' | 'done';
  readonly error: string | null;
}

export interface Cause {
  readonly kind: string;
  readonly machine: string;
  readonly task: string | null;
  readonly tid: number | null;
  readonly prio: number | null;
  readonly number: number | null;
  readonly name: string | null;
  readonly cpu: number | null;
  readonly ns: number;
  readonly inferred: boolean;
}

export interface Wait {
  readonly machine: string;
  readonly task: string;
  readonly tid: number;
  readonly cpu: number;
  /** Decimal strings: nanoseconds of the recordings' clock. */
  readonly dueNs: string;
  readonly endNs: string;
  readonly lengthNs: number;
  readonly kind: string;
  readonly isDue: boolean;
  readonly causes: readonly Cause[];
}

export interface Thief extends Omit<Cause, 'cpu' | 'inferred'> {
  readonly guest: string;
  readonly count: number;
  readonly worstNs: number;
}

export interface Explanation {
  readonly waits: readonly Wait[];
  readonly waitCount: number;
  readonly thieves: readonly Thief[];
  readonly unknownNs: number;
  readonly missing: readonly string[];
}
