import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { codeOf, errorCode } from '../../base/error-code.ts';
import { makeSocketPair, sendDescriptors } from '../../native/ipc/lending.ts';
import {
  type Assignment,
  type Lent,
  lentAsList,
  type ToSupervisor,
  type ToWorker,
  type WorkerSetup,
} from '../../protocol/ipc.ts';
import { setScore } from './oom-score.ts';
import { workerCommand } from './worker-command.ts';

/**
 * Niceness of a worker, which runs on the same CPU as the tasks whose events it moves. A worker needs little CPU time,
 * but needs it at once: on a CPU that was always busy, one event in three was lost at niceness 0, and none at this one.
 */
const workerNice = -10;

/** The end of a worker. */
export type WorkerEnd =
  | { readonly kind: 'exited'; readonly clean: boolean; readonly how: string }
  /** The fork failed; the errno's name. */
  | { readonly kind: 'not-forked'; readonly code: string };

export interface WorkerListener {
  heard(message: ToSupervisor): void;
  /** Called once, and never from within the constructor. */
  ended(end: WorkerEnd): void;
}

/** One child process: a worker that waits for its CPU, and then moves that CPU's pages. */
export class WorkerProcess {
  readonly #child: ChildProcess | undefined;
  #listener: WorkerListener;
  /** The socket for its CPU's descriptors, until they are sent. */
  #lending: number | undefined;
  /** The error message if the descriptors could not be sent. */
  #refused: string | undefined;
  #isLoaded = false;
  #over = false;

  /** @param oomScore the worker's OOM score adjustment; undefined if it is the same as that of this process */
  constructor(setup: WorkerSetup, oomScore: number | undefined, listener: WorkerListener) {
    this.#listener = listener;
    try {
      this.#child = this.#spawn(setup);
    } catch (error) {
      this.#closeLending();
      setImmediate(() => this.#end({ kind: 'not-forked', code: codeOf(error) }));
      return;
    }
    const child = this.#child;
    if (child.pid !== undefined) {
      if (oomScore !== undefined) setScore(child.pid, oomScore);
      preferOnCpu(child.pid);
    }
    child.on('message', (message: ToSupervisor) => {
      if (message.kind === 'loaded') this.#isLoaded = true;
      if (!this.#over) this.#listener.heard(message);
    });
    child.on('exit', (code, signal) => {
      const how = this.#refused ?? signal ?? `exit code ${code}`;
      this.#end({ kind: 'exited', clean: code === 0, how });
    });
    child.on('error', (error) => {
      // Also emitted when a message cannot be sent because the worker is exiting; the `exit` event follows anyway.
      if (child.pid === undefined) this.#end({ kind: 'not-forked', code: errorCode(error) });
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether its scripts are loaded. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Sets the receiver of the worker's events from now on. */
  set listener(listener: WorkerListener) {
    this.#listener = listener;
  }

  /** Assigns the worker a CPU, once; it then reports `ready`. The descriptors may be closed afterwards. */
  serve(assignment: Assignment, lent: Lent): void {
    // the fork failed; Node reports that in the next turn of the event loop
    if (this.#lending === undefined || this.pid === undefined) return;
    try {
      sendDescriptors(this.#lending, JSON.stringify(assignment), lentAsList(lent));
      this.send({ kind: 'serve' });
    } catch (error) {
      // EPIPE: the worker is exiting and its end of the socket is closed; the `exit` event follows anyway.
      const code = codeOf(error);
      if (code !== 'EPIPE') this.#refused = `cannot lend descriptors: ${code}`;
      this.kill();
    }
    this.#closeLending();
  }

  /** Sends a message. A worker that is exiting does not receive it; its successor gets the same order. */
  send(message: ToWorker): void {
    this.#child?.send(message, () => undefined);
  }

  kill(): void {
    // After a failed fork Node would signal whatever pid it has in memory. If that is 0, the signal would go to
    // this process and its whole process group.
    if (this.pid !== undefined) this.#child?.kill('SIGKILL');
  }

  /** Closes the channel: the worker empties its pipe and exits, and nobody waits for it. */
  forsake(): void {
    if (this.#child?.connected === true) this.#child.disconnect();
    this.#child?.unref();
  }

  #spawn(setup: WorkerSetup): ChildProcess {
    const { ours, theirs } = makeSocketPair();
    this.#lending = ours;
    try {
      const command = workerCommand();
      return spawn(command.file, [...command.args, JSON.stringify(setup)], {
        stdio: ['ignore', 'ignore', 'inherit', theirs, ...command.lent, 'ipc'],
        // One thread of libuv's pool is enough to load scripts; the worker gets nothing else of this process's
        // environment.
        env: { ...command.env, UV_THREADPOOL_SIZE: '1' },
        argv0: process.execPath,
        cwd: '/',
        serialization: 'json',
      });
    } finally {
      closeSync(theirs);
    }
  }

  #closeLending(): void {
    if (this.#lending !== undefined) closeSync(this.#lending);
    this.#lending = undefined;
  }

  #end(end: WorkerEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#closeLending();
    this.#listener.ended(end);
  }
}

/** Raises the worker's priority; without the privilege, workers keep the normal one. */
function preferOnCpu(pid: number): void {
  try {
    setPriority(pid, workerNice);
  } catch {
    // EACCES, or ESRCH: it has already exited
  }
}
