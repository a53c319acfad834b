import type { StatusAnswer, StopAnswer } from '../../protocol/control.ts';

/** What a guest's agent has said about a recording: before it, while it ran, and at its end. Counts since its start. */
export class GuestAccount {
  before: StatusAnswer | undefined;
  status: StatusAnswer | undefined;
  stopped: StopAnswer | undefined;
  readonly #ownRings: boolean;

  /** @param ownRings the trace has an instance of its own, whose rings count from 0 */
  constructor(ownRings: boolean) {
    this.#ownRings = ownRings;
  }

  /** Bytes that a CPU's worker has sent, known behind the stop. */
  sentBytes(cpu: number): number {
    return (this.stopped?.ledger[cpu]?.bytesOut ?? 0) - (this.before?.cpus[cpu]?.bytesOut ?? 0);
  }

  /** Lost between ring and port. */
  get lostBytes(): number {
    const ledger = Object.entries(this.stopped?.ledger ?? {});
    return ledger.reduce(
      (sum, [cpu, { bytesLost }]) => sum + bytesLost - (this.before?.cpus[cpu]?.bytesLost ?? 0),
      0,
    );
  }

  /** Bytes that the guest holds back because a port took nothing. */
  get heldBytes(): number {
    return Object.values(this.stopped?.ledger ?? {}).reduce((sum, { bytesHeld }) => sum + bytesHeld, 0);
  }

  /** Events that the guest's kernel overwrote, as last told. */
  overrun(cpu: number): number {
    const now = (this.stopped?.ledger[cpu]?.ring ?? this.status?.cpus[cpu]?.ring)?.overrun ?? 0;
    const before = this.#ownRings ? 0 : (this.before?.cpus[cpu]?.ring?.overrun ?? 0);
    return Math.max(0, now - before);
  }

  /** Events that left the ring; undefined before the stop, and where the ring had been read before. */
  readEvents(cpu: number): number | undefined {
    return this.#ownRings ? this.stopped?.ledger[cpu]?.ring?.readEvents : undefined;
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
