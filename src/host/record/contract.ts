import type { RecordedAlignment } from '../../trace/recording/clock-files.ts';
import type { RecordedGuest } from '../../trace/recording/recording-format.ts';
import type { TracedMachine } from '../traced-machine.ts';
import type { Failure } from '../../base/failure.ts';
import type { StatusAnswer, TraceRequest } from '../../protocol/control.ts';
import type { HostAgentPlace } from '../../protocol/host-agent.ts';
import type { ConvertReport, FileVersion } from '../../trace/convert/convert.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import type { Compression } from '../../trace/dat/write/write-v7.ts';
import type { CommandEnd } from './command.ts';

/** One machine's part of a recording. */
export interface RecordTarget {
  readonly out: string;
  /** What to trace; undefined for whatever is already enabled in the guest. */
  readonly trace: TraceRequest | undefined;
  /**
   * Whether to skip events that the machine's kernel does not have, all of them or those with these names; otherwise, they
   * are an error.
   */
  readonly skipUnknown: boolean | readonly string[];
}

export interface GuestTarget extends RecordTarget {
  readonly location: GuestLocation;
}

export interface HostTarget extends RecordTarget {
  /** Where the host's agent traces when `trace` names no instance. */
  readonly place: HostAgentPlace;
  /** The command that runs this program again. */
  readonly command: readonly string[];
}

export interface RecordOptions {
  /** May be empty if the host is traced. */
  readonly guests: readonly GuestTarget[];
  /** This host; undefined if it is not traced. */
  readonly host: HostTarget | undefined;
  /** Size limit of the newest pages kept for each CPU. */
  readonly capBytes: number | undefined;
  readonly durationMs: number | undefined;
  /** Size limit of all files together; reaching it ends the recording. */
  readonly maxBytes: number | undefined;
  /**
   * The command to run: the recording ends when it ends. If empty, a signal or one of the limits above ends the
   * recording.
   */
  readonly command: readonly string[];
  /** Destination of the command's output; `stderr` if a report for programs goes to stdout. */
  readonly commandOutput: 'stdout' | 'stderr';
  readonly timeoutMs: number;
  readonly version: FileVersion;
  readonly compress: Compression;
  /** How to divide the recording into sets of files; undefined for a single one. */
  readonly rotation?: RotationOptions | undefined;
}

/**
 * How a recording is divided into sets, one after the other. A set has one file for each machine, or fewer if some ended
 * early. One of `bytes` and `everyMs` is given.
 */
export interface RotationOptions {
  /** Size of a set's raw pages at which the next set begins. */
  readonly bytes?: number;
  /** Time after which the next set begins. */
  readonly everyMs?: number;
  /** How many finished sets to keep; undefined for all. At least 1. */
  readonly keep: number | undefined;
  /** The file without a number and the name of a machine, from which the names of all files are made. */
  readonly base: string;
  /** The command that runs this program again. */
  readonly command: readonly string[];
}

/** One set of files, as one machine's recording sees it. */
export interface SetPart {
  /** Number of the set; sets are numbered in their order, not always from 1. */
  readonly set: number;
  /** The machine's file in this set. */
  readonly out: string;
  /** Id by which other files refer to this one. */
  readonly traceId: bigint;
  /** The guests that are recorded together with this host; undefined for a guest. */
  readonly guests: (() => readonly RecordedGuest[]) | undefined;
}

/** What one machine's recording needs to know. */
export interface RecordRequest {
  readonly machine: TracedMachine;
  readonly trace: TraceRequest | undefined;
  /** The machine's part of the set with this number. */
  readonly partOf: (set: number) => SetPart;
  /** Number of the first set. */
  readonly firstSet: number;
  /** Whether there may be more sets; if so, the kernel's counts are not those of one file. */
  readonly rotates: boolean;
  /** As in `RecordTarget`. */
  readonly skipUnknown: RecordTarget['skipUnknown'];
  /** Size limit of the pages kept for each CPU; undefined if all pages are kept. */
  readonly capBytes: number | undefined;
  readonly timeoutMs: number;
  /** Reports something to the user while the recording runs. */
  readonly note: (text: string) => void;
  /** This guest's recording cannot continue; what was recorded is kept. May be called more than once. */
  readonly failed: (why: Failure) => void;
}

/** The reason for the end of a recording. */
export type RecordEnd =
  | { readonly kind: 'signal' }
  | { readonly kind: 'duration' }
  | { readonly kind: 'max-size' }
  | ({ readonly kind: 'command' } & CommandEnd)
  | { readonly kind: 'failed'; readonly why: Failure };

/** Progress of one CPU; in a report, what its file has. */
export interface CpuProgress {
  readonly cpu: number;
  readonly receivedBytes: number;
  readonly keptBytes: number;
  /** Events that the guest's kernel overwrote since the start, as last reported. */
  readonly overrun: number;
  /** Events read from the ring since the start, by the kernel's count; known after a stop. */
  readonly readEvents: number | undefined;
}

/** The current progress. */
export interface RecordProgress {
  readonly elapsedMs: number;
  readonly guests: readonly { readonly label: string; readonly cpus: readonly CpuProgress[] }[];
  /** Free bytes on the file system of the first file. */
  readonly freeBytes: number;
}

/** A machine while it is recorded. */
export interface RecordedMachine {
  readonly label: string;
  /** The guest's name; undefined when it has none, and for the host. */
  readonly guest: string | undefined;
  readonly host: boolean;
  /** The directory of its recording; undefined before the start. */
  readonly dir: string | undefined;
  /** Whether its recording goes on. */
  readonly isRunning: boolean;
  /** What its agent last reported, and what it reported before the recording. */
  readonly status: StatusAnswer | undefined;
  readonly before: StatusAnswer | undefined;
  readonly cpus: readonly CpuProgress[];
}

export interface GuestReport {
  readonly label: string;
  /** The guest's name; undefined when it has none. */
  readonly guest: string | undefined;
  /** Whether it is this host. */
  readonly host: boolean;
  readonly out: string;
  /** Undefined when the trace.dat could not be written. */
  readonly report: ConvertReport | undefined;
  /**
   * How to convert the machine's times to this host's; undefined for the host itself, and if the host is not recorded.
   */
  readonly alignment: RecordedAlignment | undefined;
  /** The recording directory, which can be converted; undefined when it is no longer needed, or was removed. */
  readonly dir: string | undefined;
  readonly cpus: readonly CpuProgress[];
  /** Bytes lost between ring and host, as the agent reports. */
  readonly lostBytes: number;
  /** Bytes taken from the rings that the agent still holds, because a port was full. */
  readonly heldBytes: number;
  /** CPUs that the agent has given up on. */
  readonly failedCpus: readonly string[];
  /** CPUs with a port that the agent does not trace. */
  readonly untracedCpus: readonly number[];
  /** Events that were unread in the guest's rings when the recording began; they are in the file too. */
  readonly earlierEvents: number;
  /** The errors of this guest, in order. */
  readonly failures: readonly Failure[];
}

export interface RecordResult {
  readonly end: RecordEnd;
  /** Number of the last set; undefined if the recording is not divided into sets. */
  readonly set: number | undefined;
  /** Of the last set, if there are several. */
  readonly guests: readonly GuestReport[];
  /** Files that were deleted because enough newer ones are kept. */
  readonly deleted: readonly string[];
}

/** A finished set of files. */
export interface RotatedSet {
  readonly set: number;
  readonly guests: readonly GuestReport[];
  /** Files that were deleted because enough newer ones are kept. */
  readonly deleted: readonly string[];
}

/** Notifications for the caller. They are called from the event loop and must not throw. */
export interface RecordListener {
  readonly phase: (text: string) => void;
  /** @param dirs the directories of the recordings */
  readonly started: (dirs: readonly string[]) => void;
  /** Called when a recording has been written to its file, before its directory is removed. */
  readonly removing?: (dir: string) => Promise<void>;
  /** Called when a set of files that is not the last is finished. */
  readonly rotated?: (set: RotatedSet) => void;
  readonly progress: (progress: RecordProgress) => void;
  readonly ending: (end: RecordEnd) => void;
  readonly note: (text: string) => void;
}
