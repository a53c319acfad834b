import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCpuList } from '../../../src/base/cpu-list.ts';
import { ensureInstance, removeInstance } from '../../../src/tracefs/instance.ts';
import { locateTracefs } from '../../../src/tracefs/locate.ts';
import { Tracefs } from '../../../src/tracefs/tracefs.ts';
import { Agent, type AgentRun } from './agent.ts';
import { ControlPty } from './control-pty.ts';
import { FifoPort } from './fifo-port.ts';
import { MarkerWriter } from './markers.ts';
import { Arrived, whole } from './pages.ts';
import { isAlive, signalIfThere } from './processes.ts';
import { until } from './until.ts';

export interface SceneOptions {
  /** The CPUs (of two) that have a trace port, with a reader, from the start. */
  readonly ports?: 'both' | 'second' | 'none';
  /** Size of each CPU's ring; the default is large enough that nothing is overwritten. */
  readonly bufferKb?: number;
  readonly subBufferKb?: number;
  /**
   * How full a ring must be to wake its worker; with the kernel's 50, a worker of so large a ring would sleep for
   * most of a test.
   */
  readonly bufferPercent?: number;
}

/** A longer wait counts as a hang. */
const patienceMs = 60_000;

let scenes = 0;
const savedNamesFile = 'saved_cmdlines_size';

/**
 * The surroundings of one test: a directory of ports, a tracefs instance, and the processes that it starts. All are
 * removed at the end.
 */
export class Scene {
  readonly dir: string;
  readonly instance: string;
  readonly tracefs: Tracefs;
  /** The two CPUs that are traced. */
  readonly cpus: readonly [number, number];
  readonly ports = new Map<number, FifoPort>();
  readonly #agents: Agent[] = [];
  readonly #closers: (() => void)[] = [];
  readonly #savedNames: string;

  constructor({ ports = 'both', bufferKb = 8192, subBufferKb, bufferPercent = 50 }: SceneOptions = {}) {
    const root = locateTracefs();
    this.#savedNames = new Tracefs(root).read(savedNamesFile);
    this.dir = mkdtempSync(join(tmpdir(), 'trace-agent-test-'));
    this.instance = `vt-agent-${process.pid}-${scenes++}`;
    ensureInstance(root, this.instance);
    this.tracefs = new Tracefs(root, this.instance);
    if (subBufferKb !== undefined) this.tracefs.write('buffer_subbuf_size_kb', String(subBufferKb));
    this.tracefs.write('buffer_size_kb', String(bufferKb));
    this.tracefs.write('buffer_percent', String(bufferPercent));
    const [first = 0, second = 1] = parseCpuList(
      readFileSync('/sys/devices/system/cpu/online', 'utf8').trim(),
      'online',
    );
    this.cpus = [first, second];
    if (ports === 'both') this.addPort(first);
    if (ports !== 'none') this.addPort(second);
  }

  get control(): string {
    return join(this.dir, 'agent-ctl-path');
  }

  /** Plugs a trace port in, with a reader or without. */
  addPort(cpu: number, { read = true } = {}): FifoPort {
    const port = this.addFifo(`trace-path-cpu${cpu}`);
    this.ports.set(cpu, port);
    if (read) port.read();
    return port;
  }

  addFifo(name: string): FifoPort {
    const fifo = new FifoPort(join(this.dir, name));
    this.#closers.push(() => fifo.close());
    return fifo;
  }

  port(cpu: number): FifoPort {
    const port = this.ports.get(cpu);
    if (port === undefined) throw new Error(`CPU ${cpu} has no port`);
    return port;
  }

  /** A FIFO for orders without answers. */
  addControlFifo(): string {
    execFileSync('mkfifo', [this.control]);
    return this.control;
  }

  addControlPty(): Promise<ControlPty> {
    return this.addPty('agent-ctl-path');
  }

  async addPty(name: string): Promise<ControlPty> {
    const pty = await ControlPty.open(join(this.dir, name));
    this.#closers.push(() => pty.close());
    return pty;
  }

  /** Starts an agent on this scene's instance, ports and CPUs; `args` override the defaults. */
  start(args: readonly string[] = [], run: AgentRun = {}): Agent {
    const own = ['--ports-dir', this.dir, '--cpus', this.cpus.join(','), '--instance', this.instance];
    const agent = new Agent([...own, ...args], run);
    this.#agents.push(agent);
    return agent;
  }

  async startReady(args: readonly string[] = [], run: AgentRun = {}): Promise<Agent> {
    const agent = this.start(args, run);
    await agent.ready();
    return agent;
  }

  writer(cpu: number): MarkerWriter {
    const writer = new MarkerWriter(this.tracefs, cpu);
    this.#closers.push(() => writer.close());
    return writer;
  }

  writers(): MarkerWriter[] {
    return this.cpus.map((cpu) => this.writer(cpu));
  }

  /** The data that has arrived through a CPU's port. */
  arrived(cpu: number): Arrived {
    return new Arrived(this.tracefs, this.port(cpu).received());
  }

  get receivedBytes(): number {
    return [...this.ports.values()].reduce((sum, port) => sum + port.receivedBytes, 0);
  }

  overrun(cpu: number): number {
    return this.tracefs.stats(cpu).overrun;
  }

  /** Waits until every marker of each writer has arrived, then checks the markers and the pages. */
  async allArrive(writers: readonly MarkerWriter[]): Promise<void> {
    for (const { cpu, written } of writers) {
      const found = await whole(() => this.arrived(cpu), [{ cpu, count: written }]);
      found.assertSound();
      found.assertAll(cpu, written);
    }
  }

  /**
   * Like `allArrive`, for rings that may overrun: checks that arrived and overwritten markers add up to those
   * written.
   */
  async allAccounted(writers: readonly MarkerWriter[]): Promise<void> {
    for (const { cpu, written } of writers) {
      const overrun = this.overrun(cpu);
      const found = await whole(() => this.arrived(cpu), [{ cpu, count: written - overrun }]);
      found.assertSound();
      assert.equal(found.assertOrdered(cpu) + overrun, written, `CPU ${cpu}`);
    }
  }

  /** Waits until every one of these CPUs has a full pipe in front of a full port. */
  async portsFull(control: ControlPty, cpus: readonly number[] = this.cpus): Promise<void> {
    for (const deadlineMs = performance.now() + patienceMs; ; await sleep(50)) {
      const status = await control.order('status');
      if (cpus.every((cpu) => (status.cpus[cpu]?.stalls ?? 0) > 0)) return;
      assert.ok(performance.now() < deadlineMs, 'the ports do not fill');
    }
  }

  /** Ends everything. Throws when a process of an agent survives, or the instance cannot be removed. */
  async end(): Promise<void> {
    const workers = this.#agents.flatMap((agent) => (agent.ended ? [] : agent.workers));
    for (const agent of this.#agents) if (!agent.ended) agent.signal('SIGKILL');
    for (const close of this.#closers) close();
    for (const { pid } of workers) signalIfThere(pid, 'SIGKILL');
    // until then the instance is in use
    await until('the workers to end', () => !workers.some(({ pid }) => isAlive(pid)), patienceMs);
    rmSync(this.dir, { recursive: true });
    // settings that a killed agent could not restore
    const top = new Tracefs(this.tracefs.root);
    if (top.read(savedNamesFile) !== this.#savedNames) top.write(savedNamesFile, this.#savedNames.trim());
    await removeInstance(this.tracefs.root, this.instance);
  }

  /** Instances whose name begins like the scene's: its own and those created by orders. */
  get instances(): string[] {
    return readdirSync(join(this.tracefs.root, 'instances')).filter((name) => name.startsWith(this.instance));
  }

  get instanceIsThere(): boolean {
    return existsSync(this.tracefs.dir);
  }
}

/** A test in its own scene. */
export function inScene(body: (scene: Scene) => Promise<void>, options?: SceneOptions): () => Promise<void> {
  return async () => {
    const scene = new Scene(options);
    try {
      await body(scene);
    } finally {
      await scene.end();
    }
  };
}
