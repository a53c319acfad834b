import { type Clocks, hostClocks } from '../control/ping.ts';
import { clockNs } from '../../native/clock.ts';
import { mostPauses } from '../../trace/dat/pause-note.ts';
import type { QmpListener } from '../qmp/connection.ts';

/** An event that arrives later than this says nothing about the time of a pause. */
const mostDelayNs = 10_000_000_000n;
/** By how much CLOCK_REALTIME may move against CLOCK_BOOTTIME between two looks; more means that it was set. */
const mostStepNs = 1_000_000n;
/** How exact the time of an event is: QEMU rounds it to microseconds; and for each ns of its delay. */
const roundingNs = 2000n;
const driftShare = 1000n;

/**
 * A time in which QEMU did not run its guest, by all clocks of this host. It begins between `from` and `pausedFrom` and
 * ends between `pausedTo` and `to`.
 */
export interface Pause {
  readonly from: Clocks;
  /** The guest did not run from here to there; undefined if that is unknown. */
  pausedFrom: Clocks | undefined;
  pausedTo: Clocks | undefined;
  /** Undefined until it is known to run again. */
  to: Clocks | undefined;
}

/** Tells whether a QEMU runs its guest. */
export interface RunStateMonitor {
  /** Whether its events arrive. */
  readonly isConnected: boolean;
  /** Interval between two questions. */
  readonly everyMs: number;
  /** By how much an answer of `isRunning` may be out of date. */
  readonly lateNs: bigint;
  /** Connects if it is time to. Call it regularly; not again before it has settled. Does not throw. */
  look(): Promise<boolean>;
  /** Does not throw. @returns undefined if nobody answers */
  isRunning(): Promise<boolean | undefined>;
  /** Nothing is told any more. */
  close(): void;
}

/**
 * Follows QEMU's events STOP and RESUME, and so knows when a guest was paused, whoever paused it. A pause may be missed
 * while another program uses the socket.
 */
export class PauseWatch {
  readonly monitor: RunStateMonitor;
  readonly #changed: (pauses: readonly Pause[]) => void;
  readonly #pauses: Pause[] = [];
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  /** The last moment at which the guest is known to have run, and to have been paused. */
  #lastRun = hostClocks();
  #lastPaused: Clocks | undefined;
  /** The pause that has not ended, as far as is known. */
  #open: Pause | undefined;
  /** When that was noticed, by CLOCK_BOOTTIME. */
  #openedAt = 0n;
  /** CLOCK_REALTIME − CLOCK_BOOTTIME at the last look. */
  #realtimeOffset: bigint | undefined;
  #ranMs = -Infinity;
  #closed = false;

  /**
   * Call this while the guest runs.
   * @param monitor makes what the watch asks; gets what takes QEMU's events
   * @param changed called when a pause has begun or ended, with all of them
   */
  constructor(
    monitor: (event: QmpListener['event']) => RunStateMonitor,
    changed: (pauses: readonly Pause[]) => void,
  ) {
    this.#changed = changed;
    this.monitor = monitor((name, realtimeUs) => {
      if (name === 'STOP') this.#stopped(realtimeUs);
      if (name === 'RESUME') this.#resumed(realtimeUs);
    });
    this.#timer = setInterval(() => void this.look(), this.monitor.everyMs);
    // it must not keep this process alive
    this.#timer.unref();
  }

  /** Whether QEMU says that the guest is paused. */
  get isPaused(): boolean {
    return this.#open !== undefined && this.monitor.isConnected;
  }

  /** Whether the guest has been paused since a moment of `performance.now()`, as far as is known. */
  wasPausedSince(ms: number): boolean {
    return this.#open !== undefined || this.#ranMs >= ms;
  }

  /** Asks whether the guest runs, and connects if it is time to. Does not throw. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Tells the pauses a last time. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    // it may have ended unseen; a guest that is surely paused stays so until the end of its recording
    if (!this.monitor.isConnected) this.#end(hostClocks());
    this.monitor.close();
    if (this.#pauses.length > 0) this.#changed(this.#pauses);
  }

  async #look(): Promise<void> {
    const wasConnected = this.monitor.isConnected;
    if (!(await this.monitor.look())) return;
    await this.#ask(wasConnected);
    const { realtime, boottime } = hostClocks();
    this.#realtimeOffset = realtime - boottime;
  }

  /** @param isKnown whether no event can have been missed since the last question */
  async #ask(isKnown: boolean): Promise<void> {
    const open = this.#open;
    const { lateNs } = this.monitor;
    const before = moved(hostClocks(), -lateNs);
    const isRunning = await this.monitor.isRunning();
    if (this.#closed || isRunning === undefined) return;
    const after = moved(hostClocks(), lateNs);
    // what a late answer says held at some moment in between
    const paused = lateNs === 0n ? { from: after, to: before } : { from: undefined, to: undefined };
    if (isRunning) {
      // a pause that has begun since belongs to a later answer
      if (this.#open !== open) return;
      // a late answer may be of the time before
      if (open !== undefined && open.pausedTo === undefined && before.boottime < this.#openedAt) return;
      if (open !== undefined && !isKnown) open.pausedTo ??= this.#lastPaused;
      if (open !== undefined) this.#end(after);
      this.#lastRun = before;
      return;
    }
    // it may have run meanwhile
    if (this.#open !== undefined && this.#open === open && !isKnown) {
      open.pausedTo ??= this.#lastPaused;
      const last = this.#lastPaused;
      this.#end(after);
      this.#begin(last ?? before, paused.from);
    }
    // this pause's STOP was missed
    if (this.#open === undefined) this.#begin(this.#lastRun, paused.from);
    this.#lastPaused = paused.to ?? this.#lastPaused;
  }

  #stopped(realtimeUs: bigint | undefined): void {
    const at = this.#clocksAt(realtimeUs, roundingNs);
    const open = this.#open;
    if (open !== undefined && open.pausedTo === undefined) return;
    // it ran again, but that was not confirmed before it was paused once more
    const ran = open?.pausedTo ?? this.#lastRun;
    if (open !== undefined) this.#end(hostClocks());
    this.#begin(ran, at);
    this.#lastPaused = at ?? this.#lastPaused;
  }

  #resumed(realtimeUs: bigint | undefined): void {
    const open = this.#open;
    if (open === undefined) return;
    open.pausedTo ??= this.#clocksAt(realtimeUs, -roundingNs) ?? open.pausedFrom ?? open.from;
    // QEMU sends RESUME before it lets the guest run; it answers afterwards
    void this.#ask(true);
  }

  #begin(from: Clocks, pausedFrom: Clocks | undefined): void {
    if (this.#pauses.length >= mostPauses) return;
    this.#open = { from, pausedFrom, pausedTo: undefined, to: undefined };
    this.#openedAt = clockNs('boottime');
    this.#pauses.push(this.#open);
    this.#changed(this.#pauses);
  }

  #end(to: Clocks): void {
    if (this.#open === undefined) return;
    this.#open.to = to;
    this.#open = undefined;
    this.#ranMs = performance.now();
    this.#changed(this.#pauses);
  }

  /**
   * The clocks at the time of an event, plus what that is uncertain by; undefined if that is unknown, because the
   * realtime clock was set.
   */
  #clocksAt(realtimeUs: bigint | undefined, plusNs: bigint): Clocks | undefined {
    if (realtimeUs === undefined || this.#realtimeOffset === undefined) return undefined;
    const now = hostClocks();
    const step = now.realtime - now.boottime - this.#realtimeOffset;
    const delay = now.realtime - realtimeUs * 1000n;
    if (step > mostStepNs || step < -mostStepNs || delay < 0n || delay > mostDelayNs) return undefined;
    const uncertain = delay / driftShare;
    const earlier = delay - plusNs - (plusNs < 0n ? -uncertain : uncertain);
    return moved(now, -earlier);
  }
}

/** Clocks that count nanoseconds, at another moment; all of them at this one. */
function moved(clocks: Clocks, byNs: bigint): Clocks {
  if (byNs === 0n) return clocks;
  const { boottime, monotonicRaw, realtime, monotonic } = clocks;
  return {
    boottime: boottime + byNs,
    monotonicRaw: monotonicRaw + byNs,
    realtime: realtime + byNs,
    ...(monotonic !== undefined && { monotonic: monotonic + byNs }),
  };
}
