import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * `record --print`: a process of its own that prints the events while they are recorded, so that a slow terminal cannot
 * hold up the recording.
 */
export class Printing {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** @param dir the recording's directory, which must stay until `done` */
  constructor(dir: string) {
    const [, script = ''] = process.argv;
    const args = [script, 'report', '--follow', dir];
    // an executable of one file has its script inside
    const isSingle = process.argv0 === script || process.execPath === script;
    this.#child = spawn(process.execPath, isSingle ? args.slice(1) : args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      // a Ctrl-C ends the recording, and the printing with it
      detached: true,
    });
    this.#ended = Promise.race([once(this.#child, 'exit'), once(this.#child, 'error')]);
  }

  /** Waits until the last event is printed, or until nobody reads what is printed. */
  async done(): Promise<void> {
    await this.#ended;
  }

  /** Ends the printing at once. */
  abandon(): void {
    this.#child.kill('SIGKILL');
  }
}
