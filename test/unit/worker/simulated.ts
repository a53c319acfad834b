import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { mock } from 'node:test';
import { errno } from '../../../src/native/error.ts';
import { makeMemory } from '../../../src/native/ipc/shared-memory.ts';
import type { Waits } from '../../../src/worker/waiter.ts';
import { Ledger, ledgerBytes } from '../../../src/protocol/ledger.ts';
import { Pump, type PumpListener, type PumpSetup } from '../../../src/worker/pump.ts';
import type { PumpIo } from '../../../src/worker/pump-io.ts';

/** Small, so that thousands of simulated runs are fast: the header's 16 bytes and some data. */
export const pageBytes = 64;

/** The result of one push to a port: it accepts up to so many bytes, fails, or accepts the pages and drops them. */
export type PortDeed = number | { readonly fails: number } | 'drops' | { readonly says: number };

export const setup: PumpSetup = {
  outlet: 'splice',
  pageBytes,
  pipePages: 128,
  flushIntervalMs: 0,
  stopTimeoutMs: 10_000,
};

/** A page whose bytes contain its number. */
function pageOf(number: number): Uint8Array {
  const page = new Uint8Array(pageBytes);
  new Uint32Array(page.buffer).fill(number + 1);
  return page;
}

/**
 * A simulated kernel and clock: a ring, a pipe and a port that behave as scripted, and waits that take no time.
 * Every call costs `callMs`. Scheduled actions happen when the event loop gets its turn, like orders.
 */
export class Simulation {
  nowMs = 1000;
  callMs = 0.01;
  ring: { readonly page: Uint8Array; full: boolean }[] = [];
  /** A virtio port takes no more pages at once. */
  fillPagesMost = 128;
  /** A ring that is never empty. */
  endless = false;
  pipe = new Uint8Array(0);
  readonly received: Uint8Array[] = [];
  pages = 0;
  calls = 0;
  waits = 0;
  /** The result of poll for a descriptor; by default 0. */
  pollRing = 0;
  pollPort = 0;
  ringFails: number | undefined;
  /** Results that are used one by one; after the last one the port accepts everything. */
  port: PortDeed[] = [];
  /** The port's result after the script has ended. */
  portForEver: PortDeed = Number.POSITIVE_INFINITY;
  readonly said: string[] = [];
  readonly ledgerFd = makeMemory('simulated-ledger', ledgerBytes(pageBytes));
  readonly ledger = new Ledger(this.ledgerFd, pageBytes);
  #schedule: { readonly atMs: number; readonly happens: () => void }[] = [];

  readonly io: PumpIo = {
    ringFd: 3,
    portFd: 6,
    outlet: { push: (bytes) => this.#push(bytes) },
    fill: (bytes) => this.#fill(bytes),
    readPage: () => this.#readPage(),
    writePage: () => this.#writePage(),
    held: () => this.pipe.byteLength,
  };

  readonly listener: PumpListener = {
    stopped: (id, flushed, heldBytes) => this.said.push(`stopped ${id} ${flushed} ${heldBytes}`),
    gone: (what, code) => this.said.push(`gone ${what} ${code}`),
    lost: (bytes) => this.said.push(`lost ${bytes}`),
    host: (connected) => this.said.push(`host ${connected}`),
  };

  readonly waiter: Waits = new SimulatedWaiter(this);

  /** Adds pages to the ring: whole ones, and optionally a last one that is still being written. */
  add(whole: number, partial = false): void {
    for (let count = 0; count < whole + Number(partial); count += 1) {
      const last = this.ring.at(-1);
      if (last !== undefined) last.full = true;
      this.ring.push({ page: pageOf(this.pages), full: count < whole });
      this.pages += 1;
    }
  }

  at(ms: number, happens: () => void): void {
    this.#schedule.push({ atMs: this.nowMs + ms, happens });
    this.#schedule.sort((a, b) => a.atMs - b.atMs);
  }

  /** Runs a pump until it ends by itself. `play` schedules the events of the run. */
  async run(
    play: (pump: Pump) => void,
    how: Partial<PumpSetup> = {},
    io = this.io,
    ledger = this.ledger,
  ): Promise<void> {
    const now = mock.method(performance, 'now', () => this.nowMs);
    const pump = new Pump(io, ledger, this.waiter, { ...setup, ...how }, this.listener);
    let over = false;
    const turn = (): void => {
      this.happen();
      if (!over) setImmediate(turn);
    };
    try {
      play(pump);
      setImmediate(turn);
      await pump.run();
    } finally {
      over = true;
      this.#schedule = [];
      now.mock.restore();
    }
  }

  /** Whether a scheduled action is due. */
  get isDue(): boolean {
    return (this.#schedule[0]?.atMs ?? Number.POSITIVE_INFINITY) <= this.nowMs;
  }

  /** Executes the actions that are due. */
  happen(): void {
    while (this.isDue) this.#schedule.shift()?.happens();
  }

  /** Advances the time by `ms`, but at most to the next scheduled action. */
  pass(ms: number): void {
    const next = (this.#schedule[0]?.atMs ?? Number.POSITIVE_INFINITY) - this.nowMs;
    const passes = Math.min(ms, Math.max(next, 0));
    assert.ok(Number.isFinite(passes), 'waits for ever, and nothing more will happen');
    this.nowMs += passes;
    this.happen();
  }

  close(): void {
    this.ledger.unmap();
    closeSync(this.ledgerFd);
  }

  /** Asserts that all pages arrived whole, once, and in order, except those lost from number `from` on. */
  assertDelivered(from = 0, lost = 0): void {
    const got = Buffer.concat(this.received);
    const numbers = Array.from({ length: this.pages }, (_, number) => number);
    numbers.splice(from, lost);
    assert.ok(
      got.equals(Buffer.concat(numbers.map(pageOf))),
      `${got.byteLength} bytes of ${this.pages} pages`,
    );
    this.assertAccount(lost * pageBytes);
  }

  assertAccount(lostBytes = 0): void {
    const got = this.received.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const { bytesIn, bytesOut, bytesLost, bytesHeld } = this.ledger;
    assert.deepEqual(
      { bytesIn, bytesOut, bytesLost, bytesHeld },
      {
        bytesIn: got + lostBytes + this.pipe.byteLength,
        bytesOut: got,
        bytesLost: lostBytes,
        bytesHeld: this.pipe.byteLength,
      },
    );
  }

  #call(): void {
    this.calls += 1;
    this.nowMs += this.callMs;
    assert.ok(this.calls < 200_000, 'a busy loop');
  }

  #fill(bytes: number): number {
    this.#call();
    assert.equal(this.pipe.byteLength, 0, 'fills a pipe that is not empty');
    assert.ok(bytes > 0 && bytes % pageBytes === 0, `splices ${bytes} bytes`);
    assert.ok(bytes / pageBytes <= this.fillPagesMost, `more than ${this.fillPagesMost} pages in one splice`);
    if (this.ringFails !== undefined) return -this.ringFails;
    if (this.endless) this.add(bytes / pageBytes);
    const pages: Uint8Array[] = [];
    while (this.ring[0]?.full === true && pages.length < bytes / pageBytes) pages.push(this.#take());
    if (pages.length === 0) return -errno.EAGAIN;
    this.pipe = Buffer.concat(pages);
    return this.pipe.byteLength;
  }

  #readPage(): number {
    this.#call();
    if (this.ringFails !== undefined) return -this.ringFails;
    if (this.ring.length === 0) return -errno.EAGAIN;
    this.ledger.stage.set(this.#take());
    return pageBytes;
  }

  #take(): Uint8Array {
    const taken = this.ring.shift();
    assert.ok(taken !== undefined);
    return taken.page;
  }

  #writePage(): number {
    this.#call();
    this.pipe = Buffer.concat([this.pipe, this.ledger.stage]);
    return pageBytes;
  }

  #push(bytes: number): number {
    this.#call();
    assert.equal(bytes, this.pipe.byteLength, 'the pump knows what the pipe holds');
    const deed = this.port.shift() ?? this.portForEver;
    if (deed === 'drops') {
      this.pipe = new Uint8Array(0);
      return 0;
    }
    if (typeof deed === 'object') return 'fails' in deed ? -deed.fails : deed.says;
    const taken = this.pipe.slice(0, Math.min(deed, bytes));
    this.received.push(taken);
    this.pipe = this.pipe.slice(taken.byteLength);
    return taken.byteLength;
  }
}

class SimulatedWaiter implements Waits {
  readonly #simulation: Simulation;
  loopIsDue = true;
  #woken = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  askForLoop(): void {
    this.loopIsDue = true;
  }

  look(): void {
    if (this.#simulation.isDue) this.loopIsDue = true;
  }

  async turnLoop(): Promise<void> {
    await new Promise(setImmediate);
    this.loopIsDue = false;
  }

  wake(): void {
    this.#woken = true;
  }

  ready(fd: number, _events: number, timeoutMs: number): number {
    assert.ok(timeoutMs >= 0 && timeoutMs <= 1000, `polls for ${timeoutMs} ms`);
    if (this.loopIsDue) return 0;
    const found = (): number => (fd === 3 ? this.#simulation.pollRing : this.#simulation.pollPort);
    this.#wait(timeoutMs, () => found() !== 0);
    return found();
  }

  async sleep(ms: number | undefined): Promise<void> {
    this.#woken = false;
    await Promise.resolve();
    if (!this.#woken) this.#wait(ms ?? Number.POSITIVE_INFINITY, () => false);
  }

  #wait(ms: number, found: () => boolean): void {
    const simulation = this.#simulation;
    const endMs = simulation.nowMs + ms;
    simulation.waits += 1;
    this.#woken = false;
    while (!this.#woken && !found() && simulation.nowMs < endMs) simulation.pass(endMs - simulation.nowMs);
  }
}
