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
  /** Once, and never from within the constructor. */
  ended(end: WorkerEnd): void;
}

/** One child process: a worker that waits for the CPU that it is to serve, and then moves its pages. */
export class WorkerProcess {
  readonly #child: ChildProcess | undefined;
  #listener: WorkerListener;
  /** On which it is lent its CPU's descriptors, until that is done. */
  #lending: number | undefined;
  /** Why that could not be done. */
  #refused: string | undefined;
  #isLoaded = false;
  #over = false;

  /** @param oomScore its score for the OOM killer; undefined: ours */
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
      // Also emitted when a message cannot be sent to a worker that is going; then its exit says all.
      if (child.pid === undefined) this.#end({ kind: 'not-forked', code: errorCode(error) });
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether it has its scripts and only waits, or has waited, for its CPU. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Who hears of it from now on. */
  set listener(listener: WorkerListener) {
    this.#listener = listener;
  }

  /** Gives it a CPU, once: it says `ready` then. What is lent may be closed behind this. */
  serve(assignment: Assignment, lent: Lent): void {
    // it could not be forked, which Node says a turn later
    if (this.#lending === undefined || this.pid === undefined) return;
    try {
      sendDescriptors(this.#lending, JSON.stringify(assignment), lentAsList(lent));
      this.send({ kind: 'serve' });
    } catch (error) {
      // One that is going has closed its end: then its exit says all.
      const code = codeOf(error);
      if (code !== 'EPIPE') this.#refused = `cannot lend descriptors: ${code}`;
      this.kill();
    }
    this.#closeLending();
  }

  /** A worker that is going cannot be reached; what it was told is told its successor. */
  send(message: ToWorker): void {
    this.#child?.send(message, () => undefined);
  }

  kill(): void {
    // Of a fork that failed Node signals whatever pid its memory holds: 0 is this process and all of its group.
    if (this.pid !== undefined) this.#child?.kill('SIGKILL');
  }

  /** Closes the channel: the worker empties its pipe and leaves, and nobody waits for it. */
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
        // One thread of libuv's pool is enough to load scripts; nothing else of our environment is the worker's.
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

/** Without the privilege workers compete as they are. */
function preferOnCpu(pid: number): void {
  try {
    setPriority(pid, workerNice);
  } catch {
    // EACCES, or ESRCH: it is gone already, and its exit says all
  }
}
