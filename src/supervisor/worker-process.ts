import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { errorCode } from '../error-code.ts';
import type { ToSupervisor, ToWorker, WorkerSetup } from '../protocol/ipc.ts';
import { setScore } from './oom-score.ts';
import { workerCommand } from './worker-command.ts';

/**
 * A worker runs on the CPU whose events it moves, and so beside what makes them. It needs little time, but soon: where
 * a CPU is busy all the time, an equal share came too late for one event in three, and this lost none.
 */
const workerNice = -10;

/** How a worker came to its end. */
export type WorkerEnd =
  | { readonly kind: 'exited'; readonly clean: boolean; readonly how: string }
  /** It never was; errno's name. */
  | { readonly kind: 'not-forked'; readonly code: string };

export interface WorkerListener {
  heard(message: ToSupervisor): void;
  /** Once, and never from within `start`. */
  ended(end: WorkerEnd): void;
}

/** One child process that moves a CPU's pages. */
export class WorkerProcess {
  readonly #listener: WorkerListener;
  readonly #child: ChildProcess | undefined;
  #over = false;

  /**
   * @param lent descriptors in the order that `inherited` of protocol/ipc.ts gives
   * @param oomScore its score for the OOM killer; undefined: ours
   */
  constructor(
    setup: WorkerSetup,
    lent: readonly (number | 'ignore')[],
    oomScore: number | undefined,
    listener: WorkerListener,
  ) {
    this.#listener = listener;
    try {
      const command = workerCommand();
      this.#child = spawn(command.file, [...command.args, JSON.stringify(setup)], {
        stdio: ['ignore', 'ignore', 'inherit', ...lent, ...command.lent, 'ipc'],
        // One thread of libuv's pool is enough to load scripts; nothing else of our environment is the worker's.
        env: { ...command.env, UV_THREADPOOL_SIZE: '1' },
        argv0: process.execPath,
        cwd: '/',
        serialization: 'json',
      });
    } catch (error) {
      setImmediate(() => this.#end({ kind: 'not-forked', code: errorCode(error) }));
      return;
    }
    const child = this.#child;
    if (child.pid !== undefined) {
      if (oomScore !== undefined) setScore(child.pid, oomScore);
      preferOnCpu(child.pid);
    }
    child.on('message', (message: ToSupervisor) => {
      if (!this.#over) listener.heard(message);
    });
    child.on('exit', (code, signal) =>
      this.#end({ kind: 'exited', clean: code === 0, how: signal ?? `exit code ${code}` }),
    );
    child.on('error', (error) => {
      // Also emitted when a message cannot be sent to a worker that is going; then its exit says all.
      if (child.pid === undefined) this.#end({ kind: 'not-forked', code: errorCode(error) });
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** A worker that is going cannot be reached; what it was told is told its successor. */
  send(message: ToWorker): void {
    this.#child?.send(message, () => undefined);
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** Closes the channel: the worker empties its pipe and leaves, and nobody waits for it. */
  forsake(): void {
    if (this.#child?.connected === true) this.#child.disconnect();
    this.#child?.unref();
  }

  #end(end: WorkerEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.ended(end);
  }
}

/** Without the privilege workers compete as they are. */
function preferOnCpu(pid: number): void {
  try {
    setPriority(pid, workerNice);
  } catch {
    // EACCES, or ESRCH: it is gone already, and its exit says all
  }
}
