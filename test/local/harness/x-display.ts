import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './until.ts';

const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const startMs = 30_000;
const lookEveryMs = 100;

/** A display of an X server without a screen, and a home directory for its programs; both end with the test. */
export class XDisplay {
  readonly home: string;
  readonly #test: TestContext;
  readonly #name: string;

  private constructor(test: TestContext, home: string, name: string) {
    this.#test = test;
    this.home = home;
    this.#name = name;
  }

  /** @param dir a new directory is made in it; a user without privileges must be able to reach it */
  static async start(test: TestContext, dir: string, width: number, height: number): Promise<XDisplay> {
    const home = join(dir, 'home');
    mkdirSync(home);
    if (isRoot) chownSync(home, nobody, nobody);
    chmodSync(home, 0o700);
    const screen = ['-screen', '0', `${width}x${height}x24`, '-fbdir', home];
    const server = spawnUnprivileged('Xvfb', ['-displayfd', '1', '-nolisten', 'tcp', ...screen], home);
    let number = '';
    server.stdout?.on('data', (text: Buffer) => (number += text.toString()));
    endAfter(test, server);
    await until(
      () => `Xvfb gives no number of a display: ${exitOf(server)}`,
      () => number.endsWith('\n'),
      startMs,
    );
    return new XDisplay(test, home, `:${number.trim()}`);
  }

  /** Starts a program on the display. It ends with the test. */
  run(command: string, args: readonly string[]): ChildProcess {
    const child = spawnUnprivileged(command, args, this.home, { DISPLAY: this.#name });
    endAfter(this.#test, child);
    return child;
  }

  /** Waits until `look` finds something on the screen, and returns that. Throws after `withinMs`. */
  async shows<T>(what: string, look: (picture: Picture) => T | false, withinMs: number): Promise<T> {
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      const found = look(new Picture(readFileSync(join(this.home, 'Xvfb_screen0'))));
      if (found !== false) return found;
      if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      // a look takes some milliseconds, which the drawing program needs too
      await sleep(lookEveryMs);
    }
  }
}

/** Without root: KernelShark shows a warning to root and waits. */
function spawnUnprivileged(
  command: string,
  args: readonly string[],
  home: string,
  more: Readonly<Record<string, string>> = {},
): ChildProcess {
  return spawn(command, args, {
    cwd: home,
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, XDG_CACHE_HOME: join(home, '.cache'), ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot && { uid: nobody, gid: nobody }),
  });
}

function endAfter(test: TestContext, child: ChildProcess): void {
  child.stderr?.resume();
  test.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  });
}

function exitOf({ exitCode, signalCode }: ChildProcess): string {
  return exitCode === null && signalCode === null ? 'it runs' : `it ended with ${exitCode ?? signalCode}`;
}

/** A picture as an X server keeps it: XWD, 32 bits per pixel, little-endian. */
export class Picture {
  readonly width: number;
  readonly height: number;
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #lineBytes: number;

  constructor(bytes: Buffer) {
    const word = (index: number): number => bytes.readUInt32BE(index * 4);
    const [headBytes, colors, colorBytes] = [word(0), word(19), 12];
    this.#bytes = bytes;
    this.width = word(4);
    this.height = word(5);
    this.#from = headBytes + colors * colorBytes;
    this.#lineBytes = word(12);
  }

  /** The color, as 0xrrggbb. */
  at(x: number, y: number): number {
    return this.#bytes.readUInt32LE(this.#from + y * this.#lineBytes + x * 4) & 0xff_ff_ff;
  }
}
