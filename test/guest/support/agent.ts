import assert from 'node:assert/strict';
import type { Guest, GuestProcess } from '../harness/index.ts';

/** An emulated guest on a busy host takes its time to start Node twice. */
const startMs = 90_000;

/** `trace-agent` in the guest, from start to end. */
export class GuestAgent {
  readonly process: GuestProcess;
  readonly #guest: Guest;

  private constructor(guest: Guest, process: GuestProcess) {
    this.#guest = guest;
    this.process = process;
  }

  /** Starts it and returns when it says that it is ready. */
  static async start(guest: Guest, ...args: string[]): Promise<GuestAgent> {
    const agent = new GuestAgent(guest, await guest.spawn(['trace-agent', ...args]));
    await agent.process.waitFor(/"msg":"ready"/, startMs);
    return agent;
  }

  get log(): string {
    return this.process.stderr;
  }

  said(message: string): number {
    return this.log.split(`"msg":"${message}"`).length - 1;
  }

  /** `echo 1` on the host; returns when the agent says that it has started. */
  async order1(): Promise<void> {
    await this.#order('1', 'started');
  }

  /** `echo 0` on the host. @returns how long it took until the agent said that everything is on its way */
  async order0(): Promise<number> {
    const fromMs = performance.now();
    await this.#order('0', 'stopped');
    return performance.now() - fromMs;
  }

  /** Pids of the workers, by CPU. */
  async workers(): Promise<Map<number, number>> {
    const list = await this.#guest.check(
      'for p in /proc/[0-9]*; do if grep -q worker/main.js $p/cmdline 2>/dev/null; then ' +
        'echo "${p#/proc/} $(tr "\\0" " " < $p/cmdline)"; fi; done',
    );
    const workers = new Map<number, number>();
    for (const line of list.split('\n')) {
      const found = /^(\d+) .*"cpu":(\d+)/.exec(line);
      if (found !== null) workers.set(Number(found[2]), Number(found[1]));
    }
    return workers;
  }

  /** SIGTERM, and its end. @returns exit code and how long it took */
  async terminate(): Promise<{ code: number; ms: number }> {
    const fromMs = performance.now();
    this.process.kill('SIGTERM');
    const { code } = await this.process.wait(60_000);
    return { code, ms: performance.now() - fromMs };
  }

  /** Ends it and wants a clean end. */
  async end(): Promise<void> {
    const { code } = await this.terminate();
    assert.equal(code, 0, this.log);
  }

  async #order(word: '0' | '1', message: string): Promise<void> {
    const before = this.said(message);
    await this.#guest.control.order(word);
    await this.process.waitFor(new RegExp(`(?:"msg":"${message}"[^]*){${before + 1}}`), 60_000);
  }
}

/** Markers from every CPU at once: `markers` on each, all to their end. */
export async function load(
  guest: Guest,
  cpus: readonly number[],
  options: { readonly rate: number; readonly count: number; readonly size?: number; readonly start?: number },
): Promise<void> {
  const { rate, count, size = 1000, start = 1 } = options;
  const words = ['--rate', rate, '--count', count, '--size', size, '--start', start].map(String);
  const writers = await Promise.all(
    cpus.map((cpu) => guest.spawn(['markers', '--cpu', String(cpu), ...words])),
  );
  for (const writer of writers) {
    const { code } = await writer.wait(180_000);
    assert.equal(code, 0, writer.stderr);
    assert.match(writer.stdout, new RegExp(`"written":${count},"failed":0`));
  }
}
