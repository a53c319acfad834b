import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { RingStats } from '../../../src/tracefs/ring-files.ts';
import { bootGuest, Collector, restoreGuest } from '../harness/index.ts';
import type { BootOptions, Guest } from '../harness/index.ts';
import { guestTracefs, MarkerReader, outOfOrder, ringStats, span } from './account.ts';
import type { Received } from './account.ts';
import { GuestAgent, writeMarkers } from './agent.ts';
import { assertAsBefore } from './as-before.ts';
import type { AsBefore } from './as-before.ts';
import { SocketCollector } from './socket-collector.ts';

/** Data in transit at the end of a test has arrived after this long, or is lost. */
const arrivalMs = 60_000;

export interface MarkerLoad {
  /** Markers per second on each CPU; 0: as fast as possible. */
  readonly rate: number;
  /** Number of markers on each CPU. */
  readonly count: number;
  readonly size?: number;
  /** Default: all traced CPUs. */
  readonly cpus?: readonly number[];
}

/** Counts of one CPU's markers since `begin`. */
export interface CpuAccount {
  readonly written: number;
  readonly received: number;
  /** Markers that the kernel itself overwrote. */
  readonly overrun: number;
  /** Markers neither received nor overwritten. */
  readonly missing: number;
  readonly numbers: readonly number[];
}

/** The start of one CPU's account. */
interface Beginning {
  readonly bytes: number;
  readonly written: number;
  readonly overrun: number;
}

/**
 * A guest whose markers are numbered throughout its life, so that the account can be checked at any time: received
 * + overrun = written, none duplicated, all in order.
 */
export class TracedGuest {
  readonly guest: Guest;
  readonly cpus: readonly number[];
  readonly #reader: MarkerReader;
  readonly #collectors = new Map<number, Collector>();
  readonly #written = new Map<number, number>();
  /** Markers of this account that the kernel refused. */
  readonly #refused = new Map<number, number>();
  #beginnings = new Map<number, Beginning>();
  #agent: GuestAgent | undefined;

  private constructor(guest: Guest, cpus: readonly number[], reader: MarkerReader) {
    this.guest = guest;
    this.cpus = cpus;
    this.#reader = reader;
  }

  /** Boots a guest with a reader on the trace port of each of `cpus` (default: all). */
  static async boot(
    options: BootOptions,
    cpus = span(0, options.cpus),
    boot = bootGuest,
  ): Promise<TracedGuest> {
    return TracedGuest.#of(await boot(options), cpus);
  }

  /** Like `boot`, with a guest from a saved state, in which an agent with these arguments may already run. */
  static async restore(
    { agent, ...options }: BootOptions & { readonly agent?: readonly string[] },
    cpus = span(0, options.cpus),
    restore = restoreGuest,
  ): Promise<TracedGuest> {
    const running = agent === undefined ? {} : { running: GuestAgent.running(...agent) };
    return TracedGuest.#of(await restore({ ...options, ...running }), cpus);
  }

  static async #of(guest: Guest, cpus: readonly number[]): Promise<TracedGuest> {
    const traced = new TracedGuest(guest, cpus, await MarkerReader.of(guest));
    await guest.censusBefore();
    for (const cpu of cpus) await traced.collector(cpu).open();
    await traced.begin();
    return traced;
  }

  /** The agent that ran in the saved state. */
  get agent(): GuestAgent {
    this.#agent ??= GuestAgent.of(this.guest);
    return this.#agent;
  }

  /** The reader of a CPU's port. */
  collector(cpu: number): Collector {
    const known = this.#collectors.get(cpu);
    if (known !== undefined) return known;
    const port = this.guest.port(`trace-path-cpu${cpu}`);
    const file = join(this.guest.dir, `${port.name}.raw`);
    const made =
      port.chardev === 'socket'
        ? new SocketCollector(port.path, file)
        : new Collector(`${port.path}.out`, file);
    this.#collectors.set(cpu, made);
    return made;
  }

  /** Numbers used so far on a CPU. */
  written(cpu: number): number {
    return this.#written.get(cpu) ?? 0;
  }

  /** Writes markers on all CPUs at once, with numbers that follow the last ones; returns when all are written. */
  async load({ rate, count, size = 1000, cpus = this.cpus }: MarkerLoad): Promise<void> {
    const writers = cpus.map(async (cpu) => {
      const start = this.written(cpu) + 1;
      this.#written.set(cpu, this.written(cpu) + count);
      const refused = await writeMarkers(this.guest, cpu, { rate, count, size, start });
      this.#refused.set(cpu, (this.#refused.get(cpu) ?? 0) + refused);
    });
    await Promise.all(writers);
  }

  /** Repeats `load` for as long as `body` runs; returns when all markers are written. */
  async loadWhile(load: MarkerLoad, body: () => Promise<void>): Promise<void> {
    const end = new AbortController();
    const loading = (async () => {
      while (!end.signal.aborted) await this.load(load);
    })();
    // an error of `body` takes precedence
    loading.catch(() => {});
    try {
      await body();
    } finally {
      end.abort();
    }
    await loading;
  }

  /** Starts a new account, with empty rings and no writers: what a failed test has left does not count. */
  async begin(): Promise<void> {
    await this.guest.check(
      'while grep -qx markers /proc/[0-9]*/comm 2>/dev/null; do sleep 0.1; done; ' +
        `: > ${guestTracefs}/trace`,
    );
    const beginnings = new Map<number, Beginning>();
    for (const cpu of this.cpus) {
      const { overrun } = await this.stats(cpu);
      const bytes = await this.collector(cpu).waitQuiet(200);
      beginnings.set(cpu, { bytes, written: this.written(cpu), overrun });
    }
    this.#beginnings = beginnings;
    this.#refused.clear();
  }

  async stats(cpu: number): Promise<Pick<RingStats, 'entries' | 'overrun'>> {
    try {
      return await ringStats(this.guest, cpu);
    } catch {
      // a CPU that was never online has no statistics
      return { entries: 0, overrun: 0 };
    }
  }

  /** Waits until so many bytes of a CPU's port have arrived since `begin`. */
  async waitArrived(cpu: number, bytes: number): Promise<void> {
    await this.collector(cpu).waitBytes(this.#beginning(cpu).bytes + bytes);
  }

  /**
   * The data of a CPU that has arrived since `begin`, up to the last marker if that arrives; asserts that it is
   * whole pages, in order, without duplicates.
   * @param overrunNow the kernel's count, for a guest that can no longer be queried
   */
  async account(cpu: number, overrunNow?: number): Promise<CpuAccount> {
    const beginning = this.#beginning(cpu);
    const { numbers, leftoverBytes } = await this.#arrived(cpu, beginning);
    assert.equal(leftoverBytes, 0, `CPU ${cpu}: only whole pages arrive`);
    assert.equal(outOfOrder(numbers), undefined, `CPU ${cpu}: doubled or out of order`);
    assert.ok(
      (numbers[0] ?? Number.POSITIVE_INFINITY) > beginning.written,
      `CPU ${cpu}: of an earlier account`,
    );
    const overrun = (overrunNow ?? (await this.stats(cpu)).overrun) - beginning.overrun;
    const written = this.written(cpu) - beginning.written - (this.#refused.get(cpu) ?? 0);
    return {
      written,
      received: numbers.length,
      overrun,
      missing: written - numbers.length - overrun,
      numbers,
    };
  }

  /**
   * Asserts that everything written since `begin` has arrived or was overwritten by the kernel, including the last
   * marker.
   */
  async assertAccounted(cpus = this.cpus): Promise<void> {
    for (const cpu of cpus) {
      const { written, received, overrun, missing, numbers } = await this.account(cpu);
      const sum = `CPU ${cpu}: ${received} received + ${overrun} overrun = ${written} written`;
      assert.equal(missing, 0, sum);
      if (written > 0) assert.equal(numbers.at(-1), this.written(cpu), `CPU ${cpu}: the tail is there`);
      assert.equal((await this.stats(cpu)).entries, 0, `CPU ${cpu}: the ring is empty`);
    }
  }

  /** Ends an agent; asserts that everything written has arrived, and that the guest is unchanged. */
  async assertEnd(agent = this.agent, cpus = this.cpus, asBefore: AsBefore = {}): Promise<void> {
    await agent.order0();
    await agent.end();
    await this.assertAccounted(cpus);
    await assertAsBefore(this.guest, asBefore);
  }

  /** Markers arrive in order, so once the last one has arrived, everything has. */
  async #arrived(cpu: number, beginning: Beginning): Promise<Received> {
    const collector = this.collector(cpu);
    const last = this.written(cpu);
    const deadlineMs = performance.now() + arrivalMs;
    for (;;) {
      await collector.waitQuiet(400);
      const received = this.#reader.read(collector, cpu, beginning.bytes);
      const isAll = last === beginning.written || received.numbers.at(-1) === last;
      if ((isAll && received.leftoverBytes === 0) || performance.now() > deadlineMs) return received;
    }
  }

  #beginning(cpu: number): Beginning {
    const beginning = this.#beginnings.get(cpu);
    assert.ok(beginning, `no account of CPU ${cpu}`);
    return beginning;
  }

  /** Cleans up after a failed test: its agent must not affect the next test. */
  async endOf(agent: GuestAgent | undefined): Promise<void> {
    if (!this.guest.running) return;
    await this.guest.qmp('cont');
    for (const cpu of this.cpus) {
      const collector = await this.collector(cpu).open();
      collector.resume();
    }
    if (agent === undefined) return;
    agent.killAll();
    await agent.process.wait();
  }

  async close(): Promise<void> {
    await this.guest.close();
    for (const collector of this.#collectors.values()) await collector.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
