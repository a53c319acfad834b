import type { Failure } from '../../base/failure.ts';
import type { TraceRequest } from '../../protocol/control.ts';
import type { ConvertReport, FileVersion } from '../../trace/convert/convert.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import type { Compression } from '../../trace/dat/write/write-v7.ts';
import type { CommandEnd } from './command.ts';

export interface RecordOptions {
  readonly guests: readonly { readonly location: GuestLocation; readonly out: string }[];
  /** Undefined: what the guest has enabled by itself. */
  readonly trace: TraceRequest | undefined;
  /** Whether to leave out events that a guest does not have; else they are an error. */
  readonly skipUnknown: boolean;
  /** Of what is kept of each CPU, the newest. */
  readonly capBytes: number | undefined;
  readonly durationMs: number | undefined;
  /** Of all files together: reaching it ends the recording. */
  readonly maxBytes: number | undefined;
  /** Records while this runs; empty: until a signal, or one of the limits above. */
  readonly command: readonly string[];
  /** Where its output goes: not to stdout where a report for a program goes there. */
  readonly commandOutput: 'stdout' | 'stderr';
  readonly timeoutMs: number;
  readonly version: FileVersion;
  readonly compress: Compression;
}

/** Why a recording ended. */
export type RecordEnd =
  | { readonly kind: 'signal' }
  | { readonly kind: 'duration' }
  | { readonly kind: 'max-size' }
  | ({ readonly kind: 'command' } & CommandEnd)
  | { readonly kind: 'failed'; readonly why: Failure };

/** What one CPU has brought so far. */
export interface CpuProgress {
  readonly cpu: number;
  readonly receivedBytes: number;
  readonly keptBytes: number;
  /** Events that the guest's kernel overwrote since the start, as last told. */
  readonly overrun: number;
  /** Events that left the ring since the start, as its kernel counts them; known behind a stop. */
  readonly readEvents: number | undefined;
}

/** Progress at this moment. */
export interface RecordProgress {
  readonly elapsedMs: number;
  readonly guests: readonly { readonly label: string; readonly cpus: readonly CpuProgress[] }[];
  /** Free on the file system of the first file, in bytes. */
  readonly freeBytes: number;
}

export interface GuestReport {
  readonly label: string;
  /** Undefined when it has no name. */
  readonly guest: string | undefined;
  readonly out: string;
  /** Undefined when the file could not be made. */
  readonly report: ConvertReport | undefined;
  /** The directory that can be converted; undefined when it is not needed any more, or somebody removed it. */
  readonly dir: string | undefined;
  readonly cpus: readonly CpuProgress[];
  /** Lost between ring and host, as the agent says. */
  readonly lostBytes: number;
  /** Taken from the rings and held back by the agent, because a port took nothing. */
  readonly heldBytes: number;
  /** CPUs that the agent gave up. */
  readonly failedCpus: readonly string[];
  /** CPUs that have a port, and that the agent does not trace. */
  readonly untracedCpus: readonly number[];
  /** Events that lay unread in the guest's rings when the recording began; they are in the file too. */
  readonly earlierEvents: number;
  /** What went wrong with this guest, in order. */
  readonly failures: readonly Failure[];
}

export interface RecordResult {
  readonly end: RecordEnd;
  readonly guests: readonly GuestReport[];
}

/** Notifications for the caller. All are called from the event loop, none may throw. */
export interface RecordListener {
  readonly phase: (text: string) => void;
  readonly started: () => void;
  readonly progress: (progress: RecordProgress) => void;
  readonly ending: (end: RecordEnd) => void;
  readonly note: (text: string) => void;
}
