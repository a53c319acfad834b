import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { standbyOf, type WorkerProcess, workersOf } from './processes.ts';
import { until } from './until.ts';

export const agentProgram = fileURLToPath(new URL('../../../bin/trace-agent.js', import.meta.url));

/** A longer wait counts as a hang: a loaded machine is slow to start two Node processes one after another. */
const patienceMs = 60_000;

/** A line of the agent's log, or other output on stderr (then only `msg`). */
export interface LogLine {
  readonly msg: string;
  readonly level?: string;
  readonly [field: string]: unknown;
}

export interface AgentExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Time since the start of the program. */
  readonly ms: number;
}

export interface AgentRun {
  /** The program that starts the agent, with its own arguments: `setpriv --reuid …`. */
  readonly through?: readonly string[];
  /** Default: the program of the package. */
  readonly program?: readonly string[];
  /** A descriptor, or `pipe` to read it through `stdout`. */
  readonly stdout?: 'ignore' | 'pipe' | number;
}

/** A real trace-agent, and its output on stderr. */
export class Agent {
  readonly log: LogLine[] = [];
  readonly child: ChildProcess;
  readonly #startedMs = performance.now();
  #stderr = '';
  #cutAt = 0;
  #exit: AgentExit | undefined;

  constructor(args: readonly string[], { through = [], program, stdout = 'ignore' }: AgentRun = {}) {
    const [command = '', ...rest] = [...through, ...(program ?? [process.execPath, agentProgram]), ...args];
    const stdio: StdioOptions = ['ignore', stdout, 'pipe'];
    this.child = spawn(command, rest, { stdio });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#heard(text));
    // not 'exit': only at 'close' has all output been received
    this.child.on('close', (code, signal) => {
      this.#exit = { code, signal, ms: performance.now() - this.#startedMs };
    });
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error('the agent did not start');
    return pid;
  }

  /** All of stderr so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** True once the agent has ended; its last output may not have been received yet. */
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  get workers(): WorkerProcess[] {
    return workersOf(this.pid);
  }

  /** The pid of its standby, once loaded. */
  standby(): Promise<number> {
    return until(
      () => `a standby; the agent said:\n${this.#stderr}`,
      () => standbyOf(this.pid),
      patienceMs,
    );
  }

  /** The living worker of a CPU. Throws when there is none. */
  worker(cpu: number): number {
    const worker = this.workers.find((candidate) => candidate.cpu === cpu);
    if (worker === undefined) throw new Error(`no worker for CPU ${cpu}\n${this.#stderr}`);
    return worker.pid;
  }

  /** Number of times that it has logged this message. */
  said(msg: string): number {
    return this.log.filter((line) => line.msg === msg).length;
  }

  /** The first line for which `isIt` is true; throws, with the log, when the agent ends before. */
  logged(what: string, isIt: (line: LogLine) => boolean): Promise<LogLine> {
    return until(
      () => `log line ${what}; the agent said:\n${this.#stderr}`,
      () => {
        const line = this.log.find(isIt);
        if (line === undefined && this.#exit !== undefined)
          throw new Error(`ended without ${what}:\n${this.#stderr}`);
        return line;
      },
      patienceMs,
    );
  }

  /** @returns milliseconds from the program's start to its line `ready` */
  async ready(): Promise<number> {
    await this.logged('ready', ({ msg }) => msg === 'ready');
    return performance.now() - this.#startedMs;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends SIGKILL to the supervisor only. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await until('the end of a killed agent', () => this.ended, patienceMs);
  }

  /** Waits until the agent and its workers have ended and all output has been received. */
  exit(): Promise<AgentExit> {
    return until(
      () => `the agent's end; it said:\n${this.#stderr}`,
      () => this.#exit,
      patienceMs,
    );
  }

  #heard(text: string): void {
    this.#stderr += text;
    for (;;) {
      const end = this.#stderr.indexOf('\n', this.#cutAt);
      if (end < 0) return;
      this.log.push(parseLine(this.#stderr.slice(this.#cutAt, end)));
      this.#cutAt = end + 1;
    }
  }
}

function parseLine(text: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(text);
    if (isLogLine(parsed)) return parsed;
  } catch {
    // not from the log: a last message, or output of the program that runs the agent
  }
  return { msg: text };
}

function isLogLine(value: unknown): value is LogLine {
  return value !== null && typeof value === 'object' && 'msg' in value && typeof value.msg === 'string';
}
