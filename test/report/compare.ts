import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { repoRoot } from '../repo-root.ts';

/** A program that prints a report of a trace.dat: its name and first words. */
export type Reporter = readonly [command: string, ...words: string[]];

export const traceCmd: Reporter = ['trace-cmd', 'report'];
export const traceHost: Reporter = [process.execPath, join(repoRoot, 'dist/bin/trace-host.js'), 'report'];

/** What a report printed, whole: for small files. */
export interface Printed {
  /** Exit status; a signal's name if it died of one. */
  readonly status: number | string;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A line that is longer, or a context, is not shown whole. */
const mostShown = 1000;
const contextLines = 3;

/**
 * Leaves out of a report what trace-cmd reads from beyond a record, which is whatever is there: with `-R` it prints a stack
 * trace with as many bytes as the format has room for, also when the record has fewer.
 */
export function withoutGarbage(report: Buffer): Buffer {
  if (!report.includes(stackStart)) return report;
  const text = report
    .toString('latin1')
    .replace(rawStack, (_, start: string, size: string, bytes: string) => {
      const real = bytes.split(', ').slice(0, Number(size) * 8);
      return `${start}${real.join(', ')}]`;
    });
  return Buffer.from(text, 'latin1');
}

const stackStart = 'caller=ARRAY[';
const rawStack = /( size=(\d+) caller=ARRAY\[)([0-9a-f, ]*)\]/g;

/** The same of a report that comes in pieces, in pieces of whole lines. */
async function* linesWithoutGarbage(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of pieces) {
    const bytes = Buffer.concat([rest, piece]);
    const end = bytes.lastIndexOf(10) + 1;
    rest = bytes.subarray(end);
    if (end > 0) yield withoutGarbage(bytes.subarray(0, end));
  }
  if (rest.length > 0) yield withoutGarbage(rest);
}

/** Runs it to its end in `cwd`. Blocks. */
export function printed([command, ...words]: Reporter, args: readonly string[], cwd: string): Printed {
  const { status, signal, stdout, stderr, error } = spawnSync(command, [...words, ...args], {
    cwd,
    maxBuffer: 1 << 30,
    env: plainEnvironment(),
  });
  if (error !== undefined) throw error;
  return { status: status ?? String(signal), stdout, stderr: stderr.toString('latin1') };
}

/** What `trace-host report` prints with each of these options for a file, run in `cwd` by one process. Blocks. */
export function printedByTraceHost(
  options: readonly (readonly string[])[],
  file: string,
  cwd: string,
): readonly Pick<Printed, 'status' | 'stdout'>[] {
  const program = join(repoRoot, 'dist/test/report/many-reports.js');
  const lists = options.map((args) => ['report', ...args, '-i', file]);
  const { stdout, stderr } = printed([process.execPath, program], [JSON.stringify(lists)], cwd);
  const reports: Pick<Printed, 'status' | 'stdout'>[] = [];
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(10, at);
    const [status = Number.NaN, length = 0] = stdout.toString('latin1', at, end).split(' ').map(Number);
    reports.push({ status, stdout: stdout.subarray(end + 1, end + 1 + length) });
    at = end + 1 + length;
  }
  if (reports.length !== options.length) throw new Error(`${reports.length} reports: ${stderr}`);
  return reports;
}

/** Reads so much of a child's output, and leaves the rest, so that the child waits. */
export async function readSome(output: Readable, bytes: number): Promise<void> {
  for (let read = 0; read < bytes; ) {
    const piece: unknown = output.read();
    if (piece instanceof Buffer) read += piece.length;
    else await once(output, 'readable');
  }
}

/** As for a pipe, and without what a user has set for reports. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C', TZ: 'UTC' };
}

/** The first differing line of two reports with the lines before it; undefined if they are the same to the byte. */
export async function difference(
  expected: AsyncIterable<Buffer>,
  actual: AsyncIterable<Buffer>,
): Promise<string | undefined> {
  const [left, right] = [new Reader(expected), new Reader(actual)];
  let lines = 0;
  let before: Buffer = Buffer.alloc(0);
  for (;;) {
    await left.fill(1);
    await right.fill(1);
    const length = Math.min(left.bytes.length, right.bytes.length);
    const [a, b] = [left.bytes.subarray(0, length), right.bytes.subarray(0, length)];
    if (length === 0 && left.bytes.length === right.bytes.length) return undefined;
    if (length === 0 || !a.equals(b)) {
      const same = firstDifference(a, b);
      before = Buffer.concat([before, a.subarray(0, same)]);
      lines += newlines(a.subarray(0, same));
      const lineStart = before.lastIndexOf(10) + 1;
      const start = before.subarray(lineStart);
      left.take(same);
      right.take(same);
      await left.fill(mostShown);
      await right.fill(mostShown);
      const whole = (rest: Reader): string => shown(Buffer.concat([start, rest.line()]), rest.isEnded);
      const earlier = before
        .subarray(0, Math.max(0, lineStart - 1))
        .toString('latin1')
        .split('\n');
      const context = before.length === 0 ? [] : earlier.slice(-contextLines);
      return [
        `line ${lines + 1}, byte ${start.length + 1}:`,
        ...context.map((line) => `  ${visible(line)}`),
        `- ${whole(left)}`,
        `+ ${whole(right)}`,
        ...left.following().map((line) => `-   ${visible(line)}`),
        ...right.following().map((line) => `+   ${visible(line)}`),
      ].join('\n');
    }
    lines += newlines(a);
    before = Buffer.concat([before.subarray(-8 * mostShown), a.subarray(-8 * mostShown)]);
    left.take(length);
    right.take(length);
  }
}

/**
 * Compares what two programs print of the same file with the same options: every byte, and whether they fail. Holds little
 * of it in memory. @returns how they differ; undefined if they do not
 */
export async function reportDifference(
  expected: Reporter,
  actual: Reporter,
  args: readonly string[],
): Promise<string | undefined> {
  const [left, right] = [started(expected, args), started(actual, args)];
  const isRaw = args.includes('-R');
  const found = isRaw
    ? await difference(linesWithoutGarbage(left.stdout), linesWithoutGarbage(right.stdout))
    : await difference(left.stdout, right.stdout);
  if (found !== undefined) {
    left.stop();
    right.stop();
  }
  const [a, b] = [await left.ended, await right.ended];
  const words = `report ${args.join(' ')}`;
  if (found !== undefined) return `${words}: ${found}\n${b.stderr.slice(0, mostShown)}`;
  if (a.status !== b.status)
    return `${words}: exit status ${b.status} instead of ${a.status}\n${b.stderr.slice(0, mostShown)}`;
  return undefined;
}

function started([command, ...words]: Reporter, args: readonly string[]) {
  const child = spawn(command, [...words, ...args], {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    if (stderr.length < mostShown) stderr += text;
  });
  const ended = new Promise<{ status: number | string; stderr: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: code ?? String(signal), stderr }));
  });
  // when a process ends, Node throws away what nobody has begun to read
  const stdout = child.stdout.pipe(new PassThrough());
  const stop = (): void => {
    child.kill('SIGKILL');
    child.stdout.unpipe(stdout).resume();
  };
  return { stdout: stdout as AsyncIterable<Buffer>, ended, stop };
}

/** The same of bytes in memory. */
export function bytesDifference(expected: Uint8Array, actual: Uint8Array): Promise<string | undefined> {
  return difference(Readable.from([Buffer.from(expected)]), Readable.from([Buffer.from(actual)]));
}

/** Bytes that come in pieces. */
class Reader {
  bytes: Buffer = Buffer.alloc(0);
  isEnded = false;
  readonly #pieces: AsyncIterator<Buffer>;

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Waits until there are so many, or the end. */
  async fill(count: number): Promise<void> {
    while (this.bytes.length < count && !this.isEnded) {
      const next = await this.#pieces.next();
      if (next.done === true) this.isEnded = true;
      else this.bytes = this.bytes.length === 0 ? next.value : Buffer.concat([this.bytes, next.value]);
    }
  }

  take(count: number): void {
    this.bytes = this.bytes.subarray(count);
  }

  /** Up to the end of the line, as far as it is there. */
  line(): Buffer {
    const end = this.bytes.indexOf(10);
    return end < 0 ? this.bytes : this.bytes.subarray(0, end);
  }

  /** The lines after that. */
  following(): string[] {
    return this.bytes.toString('latin1').split('\n').slice(1, 3);
  }
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return at;
  return a.length;
}

function newlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

function shown(line: Buffer, isEnded: boolean): string {
  return line.length === 0 && isEnded ? '(end)' : visible(line.toString('latin1'));
}

/** With everything that is not printable ASCII as an escape. */
function visible(line: string): string {
  const short = line.length > mostShown ? `${line.slice(0, mostShown)}…` : line;
  return short.replace(/[^ -~…]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Why trace-cmd cannot be asked; with CI=true it must be there. */
export function traceCmdSkip(): string | false {
  const found = spawnSync('trace-cmd', ['--version'], { stdio: 'ignore' }).error === undefined;
  if (!found && process.env['CI'] === 'true') throw new Error('trace-cmd is missing');
  return found ? false : 'trace-cmd is missing';
}
