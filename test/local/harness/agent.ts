import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { standbyOf, type WorkerProcess, workersOf } from './processes.ts';
import { until } from './until.ts';

export const agentProgram = fileURLToPath(new URL('../../../bin/trace-agent.js', import.meta.url));

/** What takes longer hangs: a loaded machine starts two Node processes one after the other. */
const patienceMs = 60_000;

/** A line of the agent's log, or of whatever else it says on stderr (`msg` alone then). */
export interface LogLine {
  readonly msg: string;
  readonly level?: string;
  readonly [field: string]: unknown;
}

export interface AgentExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the start of the program. */
  readonly ms: number;
}

export interface AgentRun {
  /** What runs the program, with its own arguments: `setpriv --reuid …`. */
  readonly through?: readonly string[];
  /** Default: the package's. */
  readonly program?: readonly string[];
  /** A descriptor, or `pipe` to read it through `stdout`. */
  readonly stdout?: 'ignore' | 'pipe' | number;
}

/** A real trace-agent, and what it says on stderr. */
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
    // not 'exit': by 'close' all that it said has been heard
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

  /** What it said last may not be heard yet. */
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  get workers(): WorkerProcess[] {
    return workersOf(this.pid);
  }

  /** Its standby, loaded. */
  standby(): Promise<number> {
    return until(
      () => `a standby; the agent said:\n${this.#stderr}`,
      () => standbyOf(this.pid),
      patienceMs,
    );
  }

  /** Its living worker for a CPU. Throws when there is none. */
  worker(cpu: number): number {
    const worker = this.workers.find((candidate) => candidate.cpu === cpu);
    if (worker === undefined) throw new Error(`no worker for CPU ${cpu}\n${this.#stderr}`);
    return worker.pid;
  }

  /** How often it has said so. */
  said(msg: string): number {
    return this.log.filter((line) => line.msg === msg).length;
  }

  /** The first line that `isIt`; throws, with the log, when the agent ends first. */
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

  /** SIGKILL of the supervisor alone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await until('the end of a killed agent', () => this.ended, patienceMs);
  }

  /** Waits until it and its workers have ended and all that they said has been heard. */
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
    // not of the log: a last word, or a program's that runs the agent
  }
  return { msg: text };
}

function isLogLine(value: unknown): value is LogLine {
  return value !== null && typeof value === 'object' && 'msg' in value && typeof value.msg === 'string';
}
