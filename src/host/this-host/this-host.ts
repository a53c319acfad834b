import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { cpus as onlineCpus } from 'node:os';
import { parseCpuList } from '../../base/cpu-list.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import { makePipe } from '../../native/io/pipe.ts';
import {
  type FromHostAgent,
  type HostAgentPlace,
  hostAgentControlFd,
  hostAgentWord,
} from '../../protocol/host-agent.ts';
import { cpuOfPort } from '../port-names.ts';
import type { OwnControl, TracedMachine } from '../traced-machine.ts';
import { AgentLog } from './agent-log.ts';

/** How long the agent may take to restore everything: a stop, and time for its workers to exit. */
const endMs = 30_000;

export interface ThisHostOptions {
  /** The command that runs this program again; the agent's arguments follow it. */
  readonly command: readonly string[];
  readonly place: HostAgentPlace;
  /** Called with each warning of the agent. */
  readonly note: (text: string) => void;
}

/**
 * This host as a machine that is traced. Its agent is a child process with a session of its own, so that Ctrl-C does
 * not reach it. When this process ends, for whatever reason, the agent restores everything and ends.
 */
export class ThisHost implements TracedMachine {
  readonly path = '/sys/kernel/tracing';
  readonly guest = undefined;
  readonly label = 'this host';
  readonly options = '';
  readonly chardev = 'pipe';
  readonly cpus: readonly number[];
  readonly control: OwnControl;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  /** Read ends of the pipes that nobody has taken yet, by CPU. */
  readonly #pipes: Map<number, number>;

  private constructor(
    child: ChildProcess,
    stream: Socket,
    pipes: ReadonlyMap<number, number>,
    exited: Promise<void>,
  ) {
    this.#child = child;
    this.#exited = exited;
    this.#pipes = new Map(pipes);
    this.cpus = [...pipes.keys()];
    this.control = { stream, gone: hasEnded, silent };
  }

  /**
   * Starts the agent and waits until it is ready.
   * @throws Failure: missing without tracefs, not permitted when this user may not write there
   */
  static async start({ command, place, note }: ThisHostOptions): Promise<ThisHost> {
    const cpus = presentCpus();
    const pipes = cpus.map(() => makePipe());
    const [program = '', ...words] = command;
    const options = ['--cpus', cpus.join(','), '--log-level', 'warn', '--log-format', 'json'];
    const child = spawn(program, [...words, hostAgentWord, place, ...options], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...pipes.map(({ writeEnd }) => writeEnd), 'ipc'],
      detached: true,
    });
    for (const { writeEnd } of pipes) closeSync(writeEnd);
    const log = new AgentLog((text) => note(`this host: ${text}`));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => log.hear(text));
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const stream = child.stdio[hostAgentControlFd];
    const readEnds = new Map(cpus.map((cpu, index) => [cpu, pipes[index]?.readEnd ?? -1]));
    try {
      await ready(child);
      if (!(stream instanceof Socket)) throw new Error(`descriptor ${hostAgentControlFd} is no socket`);
      return new ThisHost(child, stream, readEnds, exited);
    } catch (cause) {
      for (const fd of readEnds.values()) closeSync(fd);
      if (stream instanceof Socket) stream.destroy();
      if (child.connected) child.disconnect();
      await exited;
      throw cause;
    }
  }

  /** Does nothing: no other process can give orders to this agent. */
  lock(): () => void {
    return () => undefined;
  }

  openFifo(port: string): number {
    const cpu = cpuOfPort(port);
    const fd = cpu === undefined ? undefined : this.#pipes.get(cpu);
    if (cpu === undefined || fd === undefined) throw this.nobody(port);
    this.#pipes.delete(cpu);
    return fd;
  }

  socketPath(port: string): string {
    throw new Error(`this host has no socket for ${port}`);
  }

  nobody(file: string, cause?: unknown): Failure {
    return new Failure(exitCode.failed, `this host has no ${file}`, 'start again', { cause });
  }

  close(): void {
    for (const fd of this.#pipes.values()) closeSync(fd);
    this.#pipes.clear();
  }

  /** Ends the agent; resolves when it has restored everything. @throws Failure when it takes too long */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const late = new Promise<'late'>((resolve) => setTimeout(resolve, endMs, 'late').unref());
    if ((await Promise.race([this.#exited, late])) !== 'late') return;
    this.#child.unref();
    throw new Failure(
      exitCode.failed,
      `the agent of this host (pid ${this.#child.pid}) has not ended in ${endMs / 1000} s`,
      `if it does not end, kill it; the next recording removes its instance`,
    );
  }
}

/** Waits until the agent is ready for orders. @throws Failure; the agent's own if it reports one */
async function ready(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message: FromHostAgent) => {
      if (message.kind === 'ready') resolve();
      else reject(failureOf(message));
    });
    child.once('error', (cause) => {
      reject(new Failure(exitCode.failed, `cannot start the agent of this host: ${cause.message}`, ''));
    });
    // messages that it has sent are delivered first
    child.once('close', () => reject(hasEnded()));
  });
}

/** The error when the agent cannot start. Suggests tracing the guests without this host. */
function failureOf({ exitCode, message, remedy }: FromHostAgent & { readonly kind: 'failed' }): Failure {
  const without = 'to trace only guests, put the options after -A';
  return new Failure(
    exitCode,
    `this host: ${printable(message)}`,
    remedy === '' ? without : `${remedy}; ${without}`,
  );
}

function hasEnded(cause?: unknown): Failure {
  return new Failure(
    exitCode.failed,
    'the agent of this host has ended',
    'see its messages; the next recording removes what it left in tracefs',
    { cause },
  );
}

function silent(timeoutMs: number): Failure {
  return new Failure(
    exitCode.failed,
    `the agent of this host does not answer within ${timeoutMs / 1000} s`,
    'this host is overloaded: trace less, or use a longer --timeout',
  );
}

/** The CPUs that are present, even if offline; CPUs that could be added later are not traced. */
function presentCpus(): readonly number[] {
  try {
    return parseCpuList(readFileSync('/sys/devices/system/cpu/present', 'utf8').trim(), 'present');
  } catch {
    // no sysfs
    return onlineCpus().map((_, cpu) => cpu);
  }
}
