import { Failure } from '../../base/failure.ts';
import type { ClockPing } from '../../trace/recording/clock-files.ts';
import type { RecordedPause } from '../../trace/dat/pause-note.ts';
import type { Clocks, PingRound } from '../control/ping.ts';
import type { Pause } from './pause-watch.ts';

/** A machine that is recorded. */
export interface ClockOwner {
  /** Name of the machine's trace clock; undefined until the machine traces. */
  readonly traceClock: string | undefined;
  /** Throws Failure. */
  readonly ping: () => Promise<PingRound>;
  /** Adds readings to the machine's recording. Throws Failure. */
  readonly addPings: (pings: readonly ClockPing[]) => void;
  /** Replaces the pauses of its recording. Throws Failure. */
  readonly setPauses: (pauses: readonly RecordedPause[]) => void;
}

/** Number of pings in a row: the fastest of several is the most accurate. */
const roundsAtOnce = 10;
/** Time limit for the pings in a row: a slow guest gets fewer pings. */
const mostMs = 1000;
/** Interval between pings while recording. */
const everyMs = 1000;

/** The clock in a ping that is this trace clock; undefined for clocks that no process can read. */
function pingClock(traceClock: string | undefined): keyof Clocks | undefined {
  switch (traceClock) {
    case 'boot':
      return 'boottime';
    case 'mono':
      return 'monotonic';
    case 'mono_raw':
      return 'monotonicRaw';
    case 'x86-tsc':
      return 'x86Tsc';
    default:
      return undefined;
  }
}

/** Reads a guest's clock while the guest is recorded together with its host. */
export class ClockPings {
  readonly #guest: ClockOwner;
  readonly #host: Pick<ClockOwner, 'traceClock'>;
  /** Pings that are not in the recording yet. */
  #rounds: PingRound[] = [];
  #lastMs = -Infinity;
  #isReading = false;

  constructor(guest: ClockOwner, host: Pick<ClockOwner, 'traceClock'>) {
    this.#guest = guest;
    this.#host = host;
  }

  /** The trace clocks of host and guest if they cannot be compared; undefined otherwise, and while they are unknown. */
  get otherClocks(): { readonly host: string; readonly guest: string } | undefined {
    const [host, guest] = [this.#host.traceClock, this.#guest.traceClock];
    if (host === undefined || guest === undefined) return undefined;
    const [hostClock, guestClock] = [pingClock(host), pingClock(guest)];
    const isReadable = hostClock !== undefined && guestClock !== undefined;
    // cycles of one with nanoseconds of the other
    const isAlike = (hostClock === 'x86Tsc') === (guestClock === 'x86Tsc');
    return isReadable && isAlike ? undefined : { host, guest };
  }

  /** Whether both traces count cycles of the TSC. */
  get countsCycles(): boolean {
    return pingClock(this.#host.traceClock) === 'x86Tsc' && pingClock(this.#guest.traceClock) === 'x86Tsc';
  }

  /** Reads the clock several times, at the beginning and at the end; stops early if the guest does not answer. */
  async readSeveral(): Promise<void> {
    const endMs = performance.now() + mostMs;
    for (let round = 0; round < roundsAtOnce && performance.now() < endMs; round++)
      if (!(await this.#read())) return;
  }

  /** Reads the clock if it is time for the next ping. */
  async readIfDue(): Promise<void> {
    if (performance.now() - this.#lastMs < everyMs || this.#isReading) return;
    await this.#read();
  }

  /** @returns whether the guest answered. Throws Failure if the recording cannot be written. */
  async #read(): Promise<boolean> {
    this.#isReading = true;
    try {
      this.#rounds.push(await this.#guest.ping());
      this.#lastMs = performance.now();
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      return false;
    } finally {
      this.#isReading = false;
    }
    this.#write();
    return true;
  }

  /** Writes the pauses to the recording; they must be all so far. Throws Failure if it cannot be written. */
  setPauses(pauses: readonly Pause[]): void {
    const clock = pingClock(this.#host.traceClock);
    if (clock === undefined) return;
    const recorded = pauses.flatMap((pause) => recordedPause(pause, clock) ?? []);
    this.#guest.setPauses(recorded);
  }

  /** Writes the pings to the recording; keeps them while the trace clocks are unknown. */
  #write(): void {
    const host = pingClock(this.#host.traceClock);
    const guest = pingClock(this.#guest.traceClock);
    if (host === undefined || guest === undefined || this.otherClocks !== undefined) return;
    const pings = this.#rounds.flatMap((round): ClockPing[] => {
      const [before, own, after] = [round.sent[host], round.guest[guest], round.received[host]];
      // an older agent reports fewer clocks
      if (before === undefined || own === undefined || after === undefined) return [];
      return [{ hostBefore: before, guest: own, hostAfter: after }];
    });
    this.#rounds = [];
    if (pings.length > 0) this.#guest.addPings(pings);
  }
}

function recordedPause(
  { from, pausedFrom, pausedTo, to }: Pause,
  clock: keyof Clocks,
): RecordedPause | undefined {
  const time = (clocks: Clocks | undefined): string | null => {
    const ns = clocks?.[clock];
    return ns === undefined ? null : String(ns);
  };
  const hostFrom = time(from);
  if (hostFrom === null) return undefined;
  return { hostFrom, pausedFrom: time(pausedFrom), pausedTo: time(pausedTo), hostTo: time(to) };
}
