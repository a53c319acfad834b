import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnswerOf, OrderName } from '../../../src/protocol/control.ts';
import type { Guest, GuestProcess, Running } from '../harness/index.ts';

/** A longer wait counts as a hang: an emulated guest on a busy host is slow to start Node twice. */
const startMs = 240_000;
/** Limit for an order, an answer and an exit. */
const patienceMs = 180_000;

/** `trace-agent` in the guest, from start to end. */
export class GuestAgent {
  readonly process: GuestProcess;
  readonly #guest: Guest;
  #asked = 0;

  private constructor(guest: Guest, process: GuestProcess) {
    this.#guest = guest;
    this.process = process;
  }

  /** Starts the agent and returns when it reports that it is ready, or with `--start` that it has started. */
  static start(guest: Guest, ...args: string[]): Promise<GuestAgent> {
    return GuestAgent.startThrough(guest, [], ...args);
  }

  /** Like `start`, through another program (the words before the agent's), which ends with an exec. */
  static async startThrough(
    guest: Guest,
    through: readonly string[],
    ...args: string[]
  ): Promise<GuestAgent> {
    const agent = new GuestAgent(guest, await guest.spawn([...through, 'trace-agent', ...args]));
    try {
      await agent.process.waitFor(/"msg":"ready"/, startMs);
      if (args.includes('--start')) await agent.waitSaid('started', 1);
    } catch (error) {
      agent.killAll();
      throw error;
    }
    return agent;
  }

  /** For `restoreGuest`: a guest in which the agent runs; `of` then returns the agent. */
  static running(...args: string[]): Running {
    const messages = [args.includes('--start') ? 'started' : 'ready'];
    // a state saved while the standby loads would have another process in each guest
    if (!args.includes('--no-standby')) messages.push('standby is ready');
    const until = new RegExp(`^${messages.map((message) => `(?=[^]*"msg":"${message}")`).join('')}`);
    return { command: ['trace-agent', ...args], until };
  }

  /** The agent that runs in a restored guest. */
  static of(guest: Guest): GuestAgent {
    const [process] = guest.restored;
    assert.ok(process, 'the guest was restored with an agent');
    return new GuestAgent(guest, process);
  }

  get log(): string {
    return this.process.stderr;
  }

  said(message: string): number {
    return this.log.split(`"msg":"${message}"`).length - 1;
  }

  /** How many of its processes died: workers, and the waiting standby. */
  deaths(): number {
    return this.said('worker crashed: restarting') + this.said('standby died: starting another');
  }

  /** `echo 1` on the host; returns when the agent reports that it has started. */
  async order1(): Promise<void> {
    await this.#order('1', 'started');
  }

  /** `echo 0` on the host; returns when the agent reports that everything is sent. */
  async order0(): Promise<void> {
    await this.#order('0', 'stopped');
  }

  /** Sends an order in JSON and returns its answer, which must not be a refusal; other answers are discarded. */
  async ask<Name extends OrderName>(
    order: Name,
    fields: object = {},
    withinMs = patienceMs,
  ): Promise<AnswerOf[Name]> {
    const { control } = this.#guest;
    await control.listen();
    const id = `${this.process.pid}-${++this.#asked}`;
    await control.send(`${JSON.stringify({ id, order, ...fields })}\n`);
    for (;;) {
      const answer: { id: unknown; ok: boolean } = JSON.parse(await control.received.line(withinMs));
      if (answer.id !== id) continue;
      assert.ok(answer.ok, `${order}: ${JSON.stringify(answer)}`);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the protocol's promise; its fields are what tests look at
      return answer as AnswerOf[Name];
    }
  }

  /** Waits until it has logged a message `times` times. */
  async waitSaid(message: string, times: number, withinMs = patienceMs): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    while (this.said(message) < times) {
      const ended = this.process.ended !== undefined;
      if (ended || performance.now() > deadlineMs)
        throw new Error(`the agent ${ended ? 'ended and ' : ''}did not say ${message}\n${this.log}`);
      await sleep(20);
    }
  }

  /** Sends SIGKILL to the supervisor only. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.process.wait(patienceMs);
  }

  /** Sends SIGKILL to the supervisor and to all workers, including those that a killed supervisor left behind. */
  killAll(): void {
    this.process.kill('SIGKILL', 'group');
  }

  /** Waits until each of `cpus` has a worker that moves pages. */
  async waitRunning(cpus: readonly number[]): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const status = await this.ask('status');
      if (cpus.every((cpu) => status.cpus[cpu]?.state === 'running')) return;
      if (performance.now() > deadlineMs)
        throw new Error(`not running: ${JSON.stringify(status)}\n${this.log}`);
      await sleep(100);
    }
  }

  /** Pids of the workers, by CPU. */
  async workers(): Promise<Map<number, number>> {
    const list = await this.#guest.check(
      'for p in /proc/[0-9]*; do if grep -q "^trace-agent worker (CPU [0-9]" $p/cmdline 2>/dev/null; then ' +
        'echo "${p#/proc/} $(tr "\\0" " " < $p/cmdline)"; fi; done',
    );
    const workers = new Map<number, number>();
    for (const line of list.split('\n')) {
      const found = /^(\d+) .*\(CPU (\d+)\)/.exec(line);
      if (found !== null) workers.set(Number(found[2]), Number(found[1]));
    }
    return workers;
  }

  /** Sends SIGTERM, and waits for the end. @returns exit code */
  async terminate(): Promise<number> {
    this.process.kill('SIGTERM');
    const { code } = await this.process.wait(patienceMs);
    return code;
  }

  /** Ends the agent, and asserts that it ends cleanly. */
  async end(): Promise<void> {
    assert.equal(await this.terminate(), 0, this.log);
  }

  async #order(word: '0' | '1', message: string): Promise<void> {
    // An answer may arrive before the log line of its order. After this command, everything logged before it has
    // arrived.
    await this.#guest.check(['true']);
    const before = this.said(message);
    await this.#guest.control.order(word);
    await this.waitSaid(message, before + 1);
  }
}

export interface MarkerOptions {
  /** Markers per second; 0: as fast as possible. */
  readonly rate: number;
  readonly count: number;
  readonly size?: number;
  /** Number of the first; default 1. */
  readonly start?: number;
}

/** Runs `markers` on every CPU at once to the end; asserts that the kernel refused none. */
export async function load(guest: Guest, cpus: readonly number[], options: MarkerOptions): Promise<void> {
  const refused = await Promise.all(cpus.map((cpu) => writeMarkers(guest, cpu, options)));
  assert.deepEqual(
    refused,
    cpus.map(() => 0),
  );
}

/** `markers` on one CPU, to its end. @returns how many the kernel refused, as it does while it resizes the ring */
export async function writeMarkers(guest: Guest, cpu: number, options: MarkerOptions): Promise<number> {
  const { rate, count, size = 1000, start = 1 } = options;
  const words = ['--cpu', cpu, '--rate', rate, '--count', count, '--size', size, '--start', start].map(
    String,
  );
  const writer = await guest.spawn(['markers', ...words]);
  await writer.wait(600_000);
  const found = /"written":(\d+),"failed":(\d+)/.exec(writer.stdout);
  assert.ok(found, writer.stderr);
  assert.equal(Number(found[1]) + Number(found[2]), count);
  return Number(found[2]);
}
