import { type ChildProcess, spawn } from 'node:child_process';
import { exitCode } from '../../../base/failure.ts';
import type { SetJob, SetResult } from './write-set.ts';
import { writeSetsWord } from './write-sets-word.ts';

/**
 * Writes the files of finished sets in a process of its own, so that neither its work nor what a guest's pages do to it
 * affects the collector. One set after the other; the process is started when there is a set, and again if it has died.
 */
export class SetWriter {
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** @param command runs this program again */
  constructor(command: readonly string[]) {
    this.#command = command;
  }

  /** Resolves when the set and those given before are written; a file that could not be written is in the result. */
  write(job: SetJob): Promise<SetResult> {
    const written = this.#last.then(() => this.#write(job));
    this.#last = written;
    return written;
  }

  /** Ends the process. Call it when all sets are written; otherwise the process leaves the set that it writes as it is. */
  close(): void {
    if (this.#child?.connected === true) this.#child.disconnect();
    this.#child = undefined;
  }

  async #write(job: SetJob): Promise<SetResult> {
    const child = (this.#child ??= this.#start());
    return new Promise<SetResult>((resolve) => {
      const settle = (result: SetResult): void => {
        child.off('message', settle).off('exit', died).off('error', died);
        resolve(result);
      };
      const died = (): void => {
        this.#child = undefined;
        settle(job.machines.map(notWritten));
      };
      child.once('message', settle).once('exit', died).once('error', died);
      // if it has ended already, the callback gets the error
      child.send(job, (cause) => {
        if (cause !== null) died();
      });
    });
  }

  #start(): ChildProcess {
    const [program = '', ...words] = this.#command;
    return spawn(program, [...words, writeSetsWord], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
      // Ctrl-C must not reach it
      detached: true,
    });
  }
}

function notWritten({ out }: { readonly out: string }): SetResult[number] {
  const message = `${out}: the process that writes it has ended`;
  const remedy = 'convert the recording, which is kept';
  return {
    report: undefined,
    alignment: undefined,
    failures: [{ exitCode: exitCode.failed, message, remedy }],
  };
}
