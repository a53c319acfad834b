import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * `record --print`: prints the events during the recording, in a separate process, so that a slow terminal cannot delay
 * the recording.
 */
export class Printing {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** @param dir the recording's directory; must exist until `done` returns */
  constructor(dir: string) {
    const [, script = ''] = process.argv;
    const args = [script, 'report', '--follow', dir];
    // a single-file executable contains its script
    const isSingle = process.argv0 === script || process.execPath === script;
    this.#child = spawn(process.execPath, isSingle ? args.slice(1) : args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      // not reached by Ctrl-C: ends when the recording ends
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
