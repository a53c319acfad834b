import { errnoName } from '../native/error.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../native/wait/poll.ts';
import type { Outlet } from '../protocol/ipc.ts';
import type { Ledger } from '../protocol/ledger.ts';
import { Backoff } from '../base/backoff.ts';
import type { PumpIo } from './pump-io.ts';
import { anothersTurn } from './shared-outlet.ts';
import { movePartialPage, takeOver } from './staging.ts';
import { portVerdict, ringVerdict } from './verdict.ts';
import type { Waits } from './waiter.ts';

/** Number of splices between two checks of the event loop: few enough to obey a stop within 50 ms under full load. */
const turnSplices = 4;
/**
 * A virtio port's queue has 128 entries; a splice of more pages can be lost entirely when descriptors run short. The limit
 * applies to what goes into the pipe, because a splice to the port must cover the whole content of the pipe: if it
 * covers less, Linux still fills descriptors for the whole content, beyond the end of the descriptor table. A file has no
 * such limit: the more pages at once, the fewer calls.
 */
const splicePagesMax = 128;
/** Maximum time of a wait: setting tracing_on to 0 does not end a poll. */
const pollMs = 1000;
const turnSleepMs = 1;

/** Receives a pump's reports. */
export interface PumpListener {
  stopped(id: number, flushed: boolean, heldBytes: number): void;
  gone(what: 'ring' | 'port', code: string): void;
  lost(bytes: number): void;
  host(connected: boolean): void;
}

export interface PumpSetup {
  readonly outlet: Outlet;
  readonly pageBytes: number;
  readonly pipePages: number;
  readonly flushIntervalMs: number;
  readonly stopTimeoutMs: number;
}

/** The result of a step: `moved` to continue with the next step, or the reason why the turn is over. */
type Step = 'moved' | Pause;
type Pause = 'turn-over' | 'ring-empty' | 'port-full' | 'not-our-turn' | 'nothing-wanted' | 'end';

interface Flush {
  readonly id: number;
  pagesLeft: number;
}

/**
 * Moves pages from one CPU's ring through a pipe to its port. The pipe is filled only when it is empty. After a crash,
 * the successor therefore needs to know only how many bytes the pipe holds, and empties it first.
 */
export class Pump {
  readonly #io: PumpIo;
  readonly #ledger: Ledger;
  readonly #waiter: Waits;
  readonly #setup: PumpSetup;
  readonly #say: PumpListener;
  readonly #fillBytes: number;
  readonly #ringBackoff = new Backoff(1, 100);
  readonly #portBackoff = new Backoff(1, 250);
  #wanted: 'run' | 'stop' | 'leave' = 'stop';
  #flush: Flush | undefined;
  #pipeBytes = 0;
  /** The last fill found fewer whole pages than would fit, so the ring has no more whole pages until the next wait. */
  #tookAll = false;
  #portMoved = false;
  /** The time when the port was found full, or when the last order arrived, whichever is later. */
  #portFullMs = performance.now();
  #partialMs = performance.now();
  #connected = true;

  constructor(io: PumpIo, ledger: Ledger, waiter: Waits, setup: PumpSetup, listener: PumpListener) {
    this.#io = io;
    this.#ledger = ledger;
    this.#waiter = waiter;
    this.#setup = setup;
    this.#say = listener;
    const { outlet, pipePages, pageBytes } = setup;
    this.#fillBytes = Math.min(pipePages, outlet === 'file' ? pipePages : splicePagesMax) * pageBytes;
  }

  /** Starts moving pages. */
  start(): void {
    this.#flush = undefined;
    this.#tookAll = false;
    this.#order('run');
  }

  /** Sends what is in the ring now, at most `maxPages`, then says `stopped`. */
  stop(id: number, maxPages: number): void {
    this.#flush = { id, pagesLeft: maxPages };
    this.#order('stop');
  }

  /** Makes `run` return once the pipe is empty. */
  leave(): void {
    this.#flush = undefined;
    this.#order('leave');
  }

  /** Runs until told to leave or until a descriptor is dead; rejects in a state that only a bug can cause. */
  async run(): Promise<void> {
    this.#pipeBytes = takeOver(this.#io, this.#ledger);
    for (;;) {
      if (this.#waiter.loopIsDue) await this.#waiter.turnLoop();
      const pause = this.#turn();
      switch (pause) {
        case 'turn-over':
          this.#waiter.look();
          break;
        // The ring usually has data soon, so this wait is one blocking poll, without a promise.
        case 'ring-empty':
          if (this.#ringBackoff.active)
            await this.#waiter.sleep(Math.min(this.#ringBackoff.next(), this.#ringWaitMs()));
          else this.#awaitRing();
          break;
        case 'port-full':
          this.#ledger.stalls += 1;
          this.#beginWait();
          if (this.#portBackoff.active) await this.#waiter.sleep(this.#portBackoff.next());
          else this.#awaitPort();
          if (this.#waitedEnough()) return;
          break;
        case 'not-our-turn':
          this.#beginWait();
          await this.#waiter.sleep(turnSleepMs);
          if (this.#waitedEnough()) return;
          break;
        case 'nothing-wanted':
          await this.#waiter.sleep(undefined);
          break;
        case 'end':
          return;
        default:
          pause satisfies never;
      }
    }
  }

  #order(wanted: 'run' | 'stop' | 'leave'): void {
    // A stop gets its full timeout, no matter how long the port has been full already. An order to leave that follows a
    // stop does not restart the timeout.
    if (wanted !== 'leave' || this.#wanted === 'run') this.#portFullMs = performance.now();
    this.#wanted = wanted;
    this.#waiter.wake();
  }

  #turn(): Pause {
    for (let splices = 0; splices < turnSplices; splices += 1) {
      const step = this.#pipeBytes > 0 ? this.#empty() : this.#fill();
      if (step !== 'moved') return step;
    }
    return 'turn-over';
  }

  #empty(): Step {
    const moved = this.#io.outlet.push(this.#pipeBytes);
    if (moved > 0) {
      this.#pipeBytes -= moved;
      this.#ledger.bytesOut += moved;
      this.#portMoved = true;
      this.#portBackoff.reset();
      this.#setConnected(true);
      return 'moved';
    }
    if (moved === anothersTurn) return 'not-our-turn';
    if (moved === 0) {
      this.#countLoss();
      return this.#pipeBytes === 0 ? 'moved' : 'port-full';
    }
    const verdict = portVerdict(-moved);
    switch (verdict) {
      case 'again':
        return 'port-full';
      case 'gone':
        this.#countLoss();
        this.#say.gone('port', errnoName(-moved));
        return 'end';
      case 'fatal':
        throw new Error(`splice to the port: ${errnoName(-moved)}`);
      default:
        return verdict satisfies never;
    }
  }

  /**
   * Counts pages that left the pipe and that the port did not accept. When the port's queue has no free descriptor,
   * the kernel discards the pages, and splice returns 0 as for an empty pipe.
   */
  #countLoss(): void {
    const held = this.#io.held();
    const lost = this.#pipeBytes - held;
    if (lost <= 0) return;
    this.#pipeBytes = held;
    this.#ledger.bytesLost += lost;
    this.#say.lost(lost);
  }

  /** Fills the pipe; only called when the pipe is empty. */
  #fill(): Step {
    switch (this.#wanted) {
      case 'run':
        return this.#fillRunning();
      case 'stop':
        return this.#flush === undefined ? 'nothing-wanted' : this.#fillStopping(this.#flush);
      case 'leave':
        return 'end';
      default:
        return this.#wanted satisfies never;
    }
  }

  #fillRunning(): Step {
    const step = this.#tookAll ? 'ring-empty' : this.#fillWhole(this.#fillBytes);
    this.#tookAll = step === 'moved' && this.#pipeBytes < this.#fillBytes;
    if (step !== 'ring-empty' || this.#msToPartial() > 0) return step;
    this.#partialMs = performance.now();
    return this.#fillPartial();
  }

  /** Time until the next partial page is due, in milliseconds. */
  #msToPartial(): number {
    const { flushIntervalMs } = this.#setup;
    if (flushIntervalMs === 0) return Number.POSITIVE_INFINITY;
    return this.#partialMs + flushIntervalMs - performance.now();
  }

  /**
   * Fills the pipe during a stop. Ends when the ring is empty, or after as many pages as the ring can hold: without
   * this limit, a busy ring might never be empty.
   */
  #fillStopping(flush: Flush): Step {
    if (flush.pagesLeft <= 0) return this.#stopped(flush, true);
    const { pageBytes } = this.#setup;
    let step = this.#fillWhole(Math.min(this.#fillBytes, flush.pagesLeft * pageBytes));
    if (step === 'ring-empty') step = this.#fillPartial();
    flush.pagesLeft -= this.#pipeBytes / pageBytes;
    return step === 'ring-empty' ? this.#stopped(flush, true) : step;
  }

  #stopped(flush: Flush, flushed: boolean): Step {
    this.#flush = undefined;
    this.#say.stopped(flush.id, flushed, this.#pipeBytes);
    return 'nothing-wanted';
  }

  #fillWhole(bytes: number): Step {
    const got = this.#io.fill(bytes);
    if (got > 0) this.#ledger.bytesIn += got;
    return this.#filled(got);
  }

  #fillPartial(): Step {
    return this.#filled(movePartialPage(this.#io, this.#ledger));
  }

  #filled(got: number): Step {
    if (got > 0) {
      this.#pipeBytes = got;
      this.#ringBackoff.reset();
      return 'moved';
    }
    if (got === 0) return 'ring-empty';
    const verdict = ringVerdict(-got);
    switch (verdict) {
      case 'again':
        return 'ring-empty';
      case 'gone':
        this.#say.gone('ring', errnoName(-got));
        return 'end';
      case 'fatal':
        throw new Error(`reading the ring: ${errnoName(-got)}`);
      default:
        return verdict satisfies never;
    }
  }

  /**
   * With a small ring or buffer_percent 0, poll reports POLLIN for a ring that splice finds empty, and POLLERR for a
   * CPU that was never online: therefore the pump tries one splice after the poll, and if that moves nothing, it
   * sleeps, longer each time.
   */
  #awaitRing(): void {
    const found = this.#waiter.ready(this.#io.ringFd, POLLIN, this.#ringWaitMs());
    if (found !== 0) this.#ringBackoff.begin();
  }

  #ringWaitMs(): number {
    return Math.max(0, Math.min(pollMs, Math.ceil(this.#msToPartial())));
  }

  /** A port without a host end reports POLLHUP at once and forever, so the pump sleeps then too. */
  #awaitPort(): void {
    const found = this.#waiter.ready(this.#io.portFd, POLLOUT, pollMs);
    if (found !== 0) this.#portBackoff.begin();
    if ((found & (POLLHUP | POLLERR)) !== 0) this.#setConnected(false);
  }

  /** Called when the port is full: starts the port's timeout, unless it is running already. */
  #beginWait(): void {
    if (!this.#portMoved) return;
    this.#portMoved = false;
    this.#portFullMs = performance.now();
  }

  /**
   * Gives up a stop that is waiting for the outlet if the outlet has accepted nothing for too long.
   *
   * @returns true if the pump has to end as well
   */
  #waitedEnough(): boolean {
    const stuck = performance.now() - this.#portFullMs >= this.#setup.stopTimeoutMs;
    if (!stuck || this.#wanted === 'run') return false;
    if (this.#wanted === 'leave') return true;
    if (this.#flush !== undefined) this.#stopped(this.#flush, false);
    return false;
  }

  #setConnected(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    this.#say.host(connected);
  }
}
