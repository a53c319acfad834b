import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Task } from './machine.ts';

/** A program that takes longer is considered to hang. */
const defaultMs = 120_000;

/** A program on this machine. The kernel kills it when this process ends. */
export class ChildTask implements Task {
  stdout = '';
  stderr = '';
  readonly #argv: readonly string[];
  readonly #child: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #ended: { readonly code: number } | undefined;

  constructor(argv: readonly string[]) {
    this.#argv = argv;
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      stdio: 'pipe',
      // without NODE_… variables, which would change what is measured
      env: { PATH: process.env['PATH'] },
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    // EPIPE: the program ended before it read all of its stdin
    this.#child.stdin?.on('error', () => undefined);
    this.#child.on('error', (error) => {
      this.stderr += String(error);
      this.#end(127);
    });
    this.#child.on('close', (code, signal) =>
      this.#end(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#child.kill(signal);
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  wait(timeoutMs = defaultMs): Promise<{ readonly code: number }> {
    return this.#until('end', () => this.#ended, timeoutMs);
  }

  async waitFor(pattern: RegExp, timeoutMs = defaultMs): Promise<RegExpExecArray> {
    const look = (): RegExpExecArray | null => pattern.exec(`${this.stdout}\n${this.stderr}`);
    const what = `say ${String(pattern)}`;
    const found = await this.#until(what, () => look() ?? this.#ended, timeoutMs);
    if ('code' in found) throw new Error(this.#tell(`ended and did not ${what}`));
    return found;
  }

  #end(code: number): void {
    this.#ended ??= { code };
    this.#look();
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #until<T>(what: string, get: () => T | undefined, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const got = get();
        if (got === undefined) return;
        clearTimeout(late);
        this.#watchers.delete(look);
        resolve(got);
      };
      const late = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(this.#tell(`did not ${what} within ${timeoutMs} ms`)));
      }, timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  #tell(what: string): string {
    return `${this.#argv.join(' ')}: ${what}\n${this.stdout.slice(-2000)}${this.stderr.slice(-2000)}`;
  }
}
