import type { RingStats, StartAnswer, StatusAnswer, StopAnswer } from '../../protocol/control.ts';
import { ringSince } from '../../trace/recording/ring-stats.ts';

/**
 * The counts that a guest's agent has reported for a recording: before it, while it ran, and at its end. The agent
 * counts from its own start.
 */
export class GuestAccount {
  before: StatusAnswer | undefined;
  started: StartAnswer | undefined;
  status: StatusAnswer | undefined;
  stopped: StopAnswer | undefined;
  readonly #ownRings: boolean;

  /**
   * @param ownRings whether the trace has an instance of its own; its rings are assumed to be new if the agent does not
   * report their counts at the start
   */
  constructor(ownRings: boolean) {
    this.#ownRings = ownRings;
  }

  /** Bytes that a CPU's worker has sent, known after the stop. */
  sentBytes(cpu: number): number {
    return (this.stopped?.ledger[cpu]?.bytesOut ?? 0) - (this.before?.cpus[cpu]?.bytesOut ?? 0);
  }

  /** CPUs that have sent anything. */
  get sendingCpus(): readonly number[] {
    return Object.keys(this.stopped?.ledger ?? {})
      .map(Number)
      .filter((cpu) => this.sentBytes(cpu) > 0);
  }

  /** Bytes lost between ring and port. */
  get lostBytes(): number {
    const ledger = Object.entries(this.stopped?.ledger ?? {});
    return ledger.reduce(
      (sum, [cpu, { bytesLost }]) => sum + bytesLost - (this.before?.cpus[cpu]?.bytesLost ?? 0),
      0,
    );
  }

  /** Bytes that the guest still holds because a port was full. */
  get heldBytes(): number {
    return Object.values(this.stopped?.ledger ?? {}).reduce((sum, { bytesHeld }) => sum + bytesHeld, 0);
  }

  /** Page sizes at start and stop, if the size was changed in between: the files then have pages of both. */
  get pageSizes(): readonly [number, number] | undefined {
    const [start, stop] = [this.started?.pageBytes, this.stopped?.pageBytes];
    return start === undefined || stop === undefined || start === stop ? undefined : [start, stop];
  }

  /** Bytes of an earlier trace that the guest still held, and now sends first. */
  earlierBytes(cpu: number): number {
    const started = this.started?.cpus?.[cpu];
    if (started === undefined) return 0;
    return Math.max(0, started.bytesOut + started.bytesHeld - (this.before?.cpus[cpu]?.bytesOut ?? 0));
  }

  /** Events that were unread in the ring when the trace began; they are in the file too. */
  earlierEvents(cpu: number): number {
    return this.#baseline(cpu)?.entries ?? 0;
  }

  /** Events that the guest's kernel overwrote, as last reported. */
  overrun(cpu: number): number {
    const now = (this.stopped?.ledger[cpu]?.ring ?? this.status?.cpus[cpu]?.ring)?.overrun ?? 0;
    return Math.max(0, now - (this.#baseline(cpu)?.overrun ?? 0));
  }

  /** Events read from the ring; undefined before the stop, and if an unknown number of events had been read before. */
  readEvents(cpu: number): number | undefined {
    if (this.started?.cpus?.[cpu] === undefined && !this.#ownRings) return undefined;
    return this.ring(cpu)?.readEvents;
  }

  /** The kernel's counts for this recording alone; null before the stop, and when the guest did not report them. */
  ring(cpu: number): RingStats | null {
    const now = this.stopped?.ledger[cpu]?.ring ?? null;
    return now === null ? null : ringSince(now, this.#baseline(cpu));
  }

  /** The ring's counts when the trace began; undefined if they were all zero. */
  #baseline(cpu: number): RingStats | undefined {
    const started = this.started?.cpus?.[cpu];
    if (started !== undefined) return started.ring ?? undefined;
    return this.#ownRings ? undefined : (this.before?.cpus[cpu]?.ring ?? undefined);
  }

  /** CPUs of `ports` that the agent does not trace. */
  untracedCpus(ports: readonly number[]): readonly number[] {
    const traced = this.before?.cpus;
    return traced === undefined ? [] : ports.filter((cpu) => traced[cpu] === undefined);
  }

  /** CPUs that had no worker at the end. */
  get failedCpus(): readonly string[] {
    return Object.entries(this.status?.cpus ?? {}).flatMap(([cpu, { state }]) =>
      state === 'failed' ? [cpu] : [],
    );
  }
}
