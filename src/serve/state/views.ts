/** What the API takes and answers; http/schemas.ts describes the same as JSON schemas. */

/** A guest, as the API shows it. */
export interface GuestView {
  readonly name: string;
  readonly dir: string;
  readonly state: 'stopped' | 'tracing' | 'recording' | 'gone';
  readonly agent: AgentView | null;
  readonly cpus: number;
  readonly lostBytes: number;
  readonly job: string | null;
  readonly why: string | null;
}

interface AgentView {
  readonly version: string;
  readonly uptimeMs: number;
  readonly restarts: number;
}

/** One machine's file. */
export interface MachineView {
  /** `null` for the host. */
  readonly name: string | null;
  readonly host: boolean;
  readonly file: string;
  readonly bytes: number;
  readonly cpus: number;
}

/** A recording, as the API shows it. */
export interface RecordingView {
  readonly id: string;
  readonly createdAt: string;
  readonly state: 'recording' | 'done';
  readonly bytes: number;
  readonly spanNs: number;
  readonly lostBytes: number;
  readonly overrun: number;
  readonly machines: readonly MachineView[];
  readonly whole: boolean;
  readonly error: string | null;
}

/** A job, as the API shows it. */
export interface JobView {
  readonly id: string;
  readonly kind: 'record';
  readonly guests: readonly string[];
  readonly host: boolean;
  readonly startedAt: string;
  readonly state: 'running' | 'stopping' | 'converting' | 'waiting' | 'done' | 'failed';
  readonly progress: {
    readonly elapsedMs: number;
    readonly durationMs: number | null;
    readonly bytes: number;
  } | null;
  readonly error: string | null;
  /** The recording that it makes; the same id. */
  readonly recording: string | null;
}

/** What `POST /api/recordings` asks for. */
export interface RecordRequest {
  readonly guests: readonly string[];
  readonly host: boolean;
  /** Undefined: until it is stopped. */
  readonly durationMs?: number;
  /** Undefined: what `trace-host explain` needs. */
  readonly events?: readonly string[];
}
