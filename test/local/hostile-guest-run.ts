import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { prepareGuest } from '../../src/host/setup/prepare.ts';

const program = fileURLToPath(new URL('../../bin/trace-host.js', import.meta.url));
const agentProgram = fileURLToPath(new URL('hostile-guest-program.js', import.meta.url));

/** Node itself uses some 80 MiB, and metadata may unpack to 64. */
const maxRssKb = 300 * 1024;
const sampleEveryMs = 20;
/** A longer run counts as a hang. */
const maxRunMs = 300_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly peakRssKb: number;
  readonly seconds: number;
}

/** A running trace-host: its process, and how it ended. */
export interface Run {
  readonly child: ChildProcess;
  /** Its output so far. */
  readonly said: () => string;
  readonly ended: Promise<Ended>;
}

/** Starts trace-host, and measures its memory; ends it when it hangs. */
export function traceHost(...argv: string[]): Run {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [program, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: maxRunMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  let peakRssKb = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const sample = (): void => {
    peakRssKb = Math.max(peakRssKb, peakOf(child.pid));
  };
  // at once: on a busy machine it may have ended before the timer's first turn
  sample();
  const sampler = setInterval(sample, sampleEveryMs);
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    clearInterval(sampler);
    return { code, signal, stdout, stderr, peakRssKb, seconds: (performance.now() - startedMs) / 1000 };
  });
  return { child, said: () => stderr, ended };
}

/** Number of scenes at once: each has its own directory, and waits most of the time. */
export const concurrency = 3;

/** The peak memory of a process, as the kernel counts it. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Sends Ctrl-C until it has ended: one that follows another at once counts as the same request. */
export async function interruptAgain<T>({
  child,
  ended,
}: {
  readonly child: ChildProcess;
  readonly ended: Promise<T>;
}): Promise<T> {
  const interrupt = setInterval(() => child.kill('SIGINT'), 50);
  try {
    return await ended;
  } finally {
    clearInterval(interrupt);
  }
}

/** The orders that a scenario's agent with `telling` has received, except pings and queries. */
export function ordersOf(agent: ChildProcess): () => string[] {
  let said = '';
  agent.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
  return () => said.split('\n').filter((word) => word === 'start' || word === 'stop');
}

/** A directory with guests in `guests` and recordings in `out`; nothing else should appear in it. */
export class Scene {
  readonly root: string;
  readonly dir: string;
  readonly outDir: string;
  readonly #agents: ChildProcess[] = [];

  constructor(test: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), 'virtio-trace-hostile-'));
    this.dir = join(this.root, 'guests');
    this.outDir = join(this.root, 'out');
    mkdirSync(this.outDir);
    test.after(() => {
      for (const agent of this.#agents) agent.kill('SIGKILL');
      rmSync(this.root, { recursive: true, force: true });
    });
  }

  get out(): string {
    return join(this.outDir, 'trace.dat');
  }

  get recording(): string {
    return `${this.out}.recording`;
  }

  /** Sets up a guest and starts its scenario. */
  async guest(scenario: string, name?: string): Promise<ChildProcess> {
    const settings = {
      chardev: undefined,
      transport: undefined,
      group: undefined,
      format: undefined,
      applyTo: undefined,
      remove: false,
    };
    // like `trace-host setup --cpus 2`, without starting Node
    await prepareGuest({ location: { dir: this.dir, guest: name }, cpus: 2, ...settings }, () =>
      Promise.reject(new Error('not asked')),
    );
    const dir = name === undefined ? this.dir : join(this.dir, name);
    const agent = spawn(process.execPath, [agentProgram, dir, scenario], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#agents.push(agent);
    await once(agent.stdout, 'data');
    return agent;
  }

  /**
   * Records until a limit in `more`, or for 1 second. For a guest that should be given up soon, pass a shorter
   * `--timeout`.
   */
  record(...more: string[]): Run {
    const length = more.length === 0 ? ['--duration', '1s'] : more;
    return traceHost('record', '--dir', this.dir, '-o', this.out, '--timeout', '20s', ...length);
  }

  /** Asserts that a recording has left no file elsewhere. */
  assertTidy(): void {
    assert.deepEqual(readdirSync(this.root).toSorted(), ['guests', 'out']);
    const files = new Set(readdirSync(this.dir));
    const ports = ['agent-ctl-path', 'trace-path-cpu0', 'trace-path-cpu1'];
    const own = ['guest.json', 'lock', ...ports.flatMap((port) => [`${port}.in`, `${port}.out`])];
    for (const file of files) assert.ok(own.includes(file), `${file} beside the FIFOs`);
    const made = readdirSync(this.outDir);
    assert.ok(
      made.every((name) => name === 'trace.dat' || name === 'trace.dat.recording'),
      `in the directory of the file: ${made.join(' ')}`,
    );
    if (!existsSync(this.recording)) return;
    for (const name of readdirSync(this.recording))
      assert.match(
        name,
        /^(recording\.json|(metadata|instance|names)\.tar\.gz|lock|cpu[01]\.raw(\.older)?)$/,
      );
  }

  /**
   * Asserts that there is a file that trace-cmd reads, or a directory that can be converted as the message says, or
   * nothing.
   */
  async assertUsable({ stderr }: Ended): Promise<'file' | 'recording' | 'nothing'> {
    if (existsSync(this.recording)) {
      assert.ok(stderr.includes(`trace-host convert ${this.recording} -o ${this.out}`), stderr);
      const converted = await traceHost('convert', this.recording, '-o', this.out).ended;
      assertOrderly(converted, [0, 5]);
      assertReadable(this.out);
      return 'recording';
    }
    if (!existsSync(this.out)) return 'nothing';
    assertReadable(this.out);
    return 'file';
  }
}

/** Asserts that trace-cmd does not crash on it, nor reports that it cannot read it. */
function assertReadable(path: string): void {
  const { status, signal, stderr, error } = spawnSync('trace-cmd', ['report', '-i', path], {
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  assert.deepEqual([status, signal, error], [0, null, undefined], stderr);
}

/** C0 except newline, DEL, C1, and characters that change the writing direction; the stream as UTF-8. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const steering = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** Asserts that it ended by itself with one of `codes`, printed plain lines, did not crash and used little memory. */
export function assertOrderly(ended: Ended, codes: readonly number[]): void {
  const { code, signal, stdout, stderr, peakRssKb } = ended;
  const all = `${JSON.stringify({ code, signal, peakRssKb })}\n${JSON.stringify(stdout)}\n${stderr}`;
  assert.equal(signal, null, all);
  assert.doesNotMatch(stderr, /^ {4}at |node:internal|\bError:/m, all);
  assert.doesNotMatch(stdout, steering, all);
  assert.doesNotMatch(stderr, steering, JSON.stringify(stderr));
  assert.ok(code !== null && codes.includes(code), all);
  if (code !== 0) assert.match(stderr, /^trace-host: .+$/m, all);
  for (const line of stderr.split('\n')) assert.ok(line.length < 2000, `a line of ${line.length}`);
  assert.ok(peakRssKb > 0 && peakRssKb < maxRssKb, `${peakRssKb} KiB in memory`);
}
