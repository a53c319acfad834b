import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { cpus as onlineCpus } from 'node:os';
import { parseCpuList } from '../../base/cpu-list.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import { makePipe } from '../../native/io/pipe.ts';
import { makeUnnamedFile } from '../../native/io/unnamed-file.ts';
import {
  type FromHostAgent,
  type HostAgentPlace,
  hostAgentControlFd,
  hostAgentWord,
} from '../../protocol/host-agent.ts';
import { cpuOfPort } from '../port-names.ts';
import type { OwnControl, OwnFiles, TracedMachine } from '../traced-machine.ts';
import { AgentLog } from './agent-log.ts';

/** How long the agent may take to restore everything: a stop, and time for its workers to exit. */
const endMs = 30_000;

export interface ThisHostOptions {
  /** The command that runs this program again; the agent's arguments follow it. */
  readonly command: readonly string[];
  readonly place: HostAgentPlace;
  /** Called with each warning of the agent. */
  readonly note: (text: string) => void;
  /**
   * A directory on the disk of the recording. The agent's workers then write files, if that file system has files without
   * names. Undefined: they write pipes.
   */
  readonly filesIn: string | undefined;
}

/** What the workers write to: files, or pipes that this process reads. */
interface Outlets {
  readonly kind: 'files' | 'pipes';
  /** By CPU: a file, or the read end of a pipe. */
  readonly ours: Map<number, number>;
  /** In the order of CPUs. */
  readonly theirs: readonly number[];
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
  readonly files: OwnFiles | undefined;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  /** Files, or read ends of pipes, that nobody has taken yet, by CPU. */
  readonly #outlets: Map<number, number>;

  private constructor(child: ChildProcess, stream: Socket, { kind, ours }: Outlets, ended: Promise<void>) {
    this.#child = child;
    this.#ended = ended;
    this.#outlets = ours;
    this.cpus = [...ours.keys()];
    this.control = { stream, gone: hasEnded, silent };
    if (kind === 'pipes') return;
    const files: OwnFiles = { take: (cpu) => this.#take(cpu, `file of CPU ${cpu}`), failed: () => undefined };
    child.on('message', (message: FromHostAgent) => {
      if (message.kind === 'outlet-failed') files.failed(message.cpu, message.code);
    });
    this.files = files;
  }

  /**
   * Starts the agent and waits until it is ready.
   * @throws Failure: missing without tracefs, not permitted when this user may not write there
   */
  static async start({ command, place, note, filesIn }: ThisHostOptions): Promise<ThisHost> {
    const cpus = presentCpus();
    const outlets = (filesIn === undefined ? undefined : makeFiles(cpus, filesIn)) ?? makePipes(cpus);
    const [program = '', ...words] = command;
    const log = ['--log-level', 'warn', '--log-format', 'json'];
    // a splice into a file takes as much as the pipe holds
    const options = ['--cpus', cpus.join(','), '--pipe-size', '1M', ...log];
    const child = spawn(program, [...words, hostAgentWord, place, ...options], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...outlets.theirs, 'ipc'],
      detached: true,
    });
    if (outlets.kind === 'pipes') for (const fd of outlets.theirs) closeSync(fd);
    const heard = new AgentLog((text) => note(`this host: ${text}`));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => heard.hear(text));
    const ended = hasClosed(child);
    const stream = child.stdio[hostAgentControlFd];
    try {
      await ready(child);
      if (!(stream instanceof Socket)) throw new Error(`descriptor ${hostAgentControlFd} is no socket`);
      return new ThisHost(child, stream, outlets, ended);
    } catch (cause) {
      for (const fd of outlets.ours.values()) closeSync(fd);
      if (stream instanceof Socket) stream.destroy();
      if (child.connected) child.disconnect();
      await ended;
      throw cause;
    }
  }

  /** Does nothing: no other process can give orders to this agent. */
  lock(): () => void {
    return () => undefined;
  }

  openFifo(port: string): number {
    return this.#take(cpuOfPort(port), port);
  }

  socketPath(port: string): string {
    throw new Error(`this host has no socket for ${port}`);
  }

  nobody(file: string, cause?: unknown): Failure {
    return new Failure(exitCode.failed, `this host has no ${file}`, 'start again', { cause });
  }

  close(): void {
    for (const fd of this.#outlets.values()) closeSync(fd);
    this.#outlets.clear();
  }

  /** Ends the agent; resolves when it has restored everything and nobody writes files any more. @throws Failure when it takes too long */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const late = new Promise<'late'>((resolve) => setTimeout(resolve, endMs, 'late').unref());
    if ((await Promise.race([this.#ended, late])) !== 'late') return;
    this.#child.unref();
    throw new Failure(
      exitCode.failed,
      `the agent of this host (pid ${this.#child.pid}) has not ended in ${endMs / 1000} s`,
      `if it does not end, kill it; the next recording removes its instance`,
    );
  }

  #take(cpu: number | undefined, name: string): number {
    const fd = cpu === undefined ? undefined : this.#outlets.get(cpu);
    if (cpu === undefined || fd === undefined) throw this.nobody(name);
    this.#outlets.delete(cpu);
    return fd;
  }
}

/** @returns undefined if there cannot be files without names in `dir` */
function makeFiles(cpus: readonly number[], dir: string): Outlets | undefined {
  const ours = new Map<number, number>();
  for (const cpu of cpus) {
    const fd = makeUnnamedFile(dir);
    if (fd === undefined) {
      for (const other of ours.values()) closeSync(other);
      return undefined;
    }
    ours.set(cpu, fd);
  }
  return { kind: 'files', ours, theirs: [...ours.values()] };
}

function makePipes(cpus: readonly number[]): Outlets {
  const pipes = cpus.map((cpu) => ({ cpu, ...makePipe() }));
  return {
    kind: 'pipes',
    ours: new Map(pipes.map(({ cpu, readEnd }) => [cpu, readEnd])),
    theirs: pipes.map(({ writeEnd }) => writeEnd),
  };
}

/** Resolves when the agent has ended, and its workers too: they share its stderr, and outlive an agent that is killed. */
async function hasClosed(child: ChildProcess): Promise<void> {
  const { stderr } = child;
  await Promise.all([
    new Promise((resolve) => child.once('exit', resolve).once('error', resolve)),
    stderr === null || new Promise((resolve) => stderr.once('close', resolve)),
  ]);
}

/** Waits until the agent is ready for orders. @throws Failure; the agent's own if it reports one */
async function ready(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message: FromHostAgent) => {
      if (message.kind === 'ready') resolve();
      if (message.kind === 'failed') reject(failureOf(message));
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
