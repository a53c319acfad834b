import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { selfCommand } from './self-command.ts';

/**
 * `record --print`: prints the events during the recording, in a separate process, so that a slow terminal cannot delay
 * the recording.
 */
export class Printing {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** @param dir the recording's directory; must exist until `done` returns */
  constructor(dir: string) {
    const [program = '', ...words] = selfCommand();
    this.#child = spawn(program, [...words, 'report', '--follow', dir], {
      stdio: ['ignore', 'inherit', 'inherit'],
      // Ctrl-C must not reach it: it ends when the recording ends
      detached: true,
    });
    this.#ended = Promise.race([once(this.#child, 'exit'), once(this.#child, 'error')]);
  }

  /** Waits until the last event is printed, or the reader of the output has closed it. */
  async done(): Promise<void> {
    await this.#ended;
  }

  /** Stops printing immediately. */
  abandon(): void {
    this.#child.kill('SIGKILL');
  }
}
