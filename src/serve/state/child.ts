import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { PassThrough, type Readable } from 'node:stream';
import pLimit from 'p-limit';
import { Problem } from '../http/problem.ts';
import { supervisedWord } from './supervised-word.ts';

/** Where a child's output goes: a pipe, or a descriptor. */
export type Output = 'pipe' | number;

/** How children are started. */
export interface Children {
  /** Runs this program again. */
  readonly command: readonly string[];
}

/**
 * Starts a command of this program that ends in order when this process ends, however that happens. It has a session of
 * its own, so that Ctrl-C reaches this process only.
 */
export function startChild(
  { command }: Children,
  args: readonly string[],
  stdout: Output,
  stderr: Output,
): ChildProcess {
  const [program = '', ...words] = command;
  return spawn(program, [...words, supervisedWord, ...args], {
    stdio: ['ignore', stdout, stderr, 'ipc'],
    detached: true,
  });
}

/** Limits of a command that answers a request. */
export interface ToolLimits {
  readonly timeoutMs: number;
  readonly outputBytes: number;
}

const heapMegabytes = 1024;
const niceness = 10;
const messageBytes = 8 * 1024;
/** Commands that read recordings, at once: they are slow, and recordings come first. */
const reading = pLimit(2);
const maxWaiting = 16;

/**
 * Runs a command that reads a recording, with limits for time, memory and output. At most two run at once.
 * @returns its stdout @throws Problem
 */
export function runTool(children: Children, args: readonly string[], limits: ToolLimits): Promise<Buffer> {
  refuseMany();
  return reading(async () => {
    const chunks: Buffer[] = [];
    await run(children, args, limits, (chunk) => {
      chunks.push(chunk);
      return true;
    });
    return Buffer.concat(chunks);
  });
}

/**
 * Like `runTool`, but gives the output as it comes. If the command fails later, the stream is destroyed; if the stream is
 * closed, the command ends.
 * @param take what of a chunk is wanted; less than all of it ends the command
 * @returns at the first output, or at the end @throws Problem if the command fails before
 */
export async function streamTool(
  children: Children,
  args: readonly string[],
  limits: ToolLimits,
  take: (chunk: Buffer) => Buffer = (chunk) => chunk,
): Promise<Readable> {
  refuseMany();
  const out = new PassThrough();
  let began = (): void => undefined;
  const hasBegun = new Promise<void>((resolve) => {
    began = resolve;
  });
  const more = async (chunk: Buffer): Promise<boolean> => {
    const taken = take(chunk);
    const isDrained = out.write(taken);
    began();
    if (!isDrained) await drained(out);
    return taken.length === chunk.length && !out.destroyed;
  };
  const done = reading(() => run(children, args, limits, more)).then(() => out.end());
  await Promise.race([hasBegun, done]);
  done.catch((cause: unknown) => out.destroy(cause instanceof Error ? cause : undefined));
  return out;
}

function drained(out: PassThrough): Promise<void> {
  if (out.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    out.once('drain', resolve).once('close', resolve);
  });
}

function refuseMany(): void {
  if (reading.pendingCount >= maxWaiting)
    throw new Problem(503, 'too many requests that read recordings are waiting', 'try again later');
}

/** @param more receives the output; false ends the command, which is then no error */
async function run(
  { command }: Children,
  args: readonly string[],
  { timeoutMs, outputBytes }: ToolLimits,
  more: (chunk: Buffer) => boolean | Promise<boolean>,
): Promise<void> {
  const [program = '', ...words] = command;
  const child = spawn(program, [...words, supervisedWord, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    env: { ...process.env, NODE_OPTIONS: `--max-old-space-size=${heapMegabytes}` },
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  exited.catch(() => undefined);
  let why: Problem | 'enough' | undefined;
  const end = (reason: Problem | 'enough'): void => {
    why ??= reason;
    child.kill('SIGKILL');
  };
  const [name = ''] = args;
  const timer = setTimeout(
    () => end(new Problem(504, `trace-host ${name} took longer than ${timeoutMs / 1000} s`, 'ask for less')),
    timeoutMs,
  );
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-messageBytes);
  });
  try {
    if (child.pid !== undefined) setPriority(child.pid, niceness);
  } catch {
    // it has ended already
  }
  try {
    let bytes = 0;
    for await (const chunk of child.stdout ?? []) {
      if (why !== undefined || !(chunk instanceof Buffer)) continue;
      bytes += chunk.length;
      if (bytes > outputBytes)
        end(new Problem(422, `trace-host ${name} printed more than ${outputBytes} bytes`, 'ask for less'));
      else if (!(await more(chunk))) end('enough');
    }
    const code = await exited;
    if (why instanceof Problem) throw why;
    // 5: something is missing in the recording, which the output says
    if (why !== 'enough' && code !== 0 && code !== 5) throw failed(name, code, said);
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

/** The last line that trace-host wrote says what was wrong, and after a dash what to do. */
export function lastMessage(said: string): { readonly detail: string; readonly remedy: string } | undefined {
  const line = said
    .split('\n')
    .findLast((each) => each.startsWith('trace-host: '))
    ?.slice('trace-host: '.length);
  if (line === undefined) return undefined;
  const [detail = '', ...remedy] = line.split(' — ');
  return { detail, remedy: remedy.join(' — ') };
}

function failed(name: string, code: number | null, said: string): Problem {
  const message = lastMessage(said);
  if (message !== undefined) return new Problem(422, message.detail, message.remedy);
  const how = code === null ? 'was killed, perhaps for lack of memory' : `ended with ${code}`;
  return new Problem(500, `trace-host ${name} ${how}`, 'run it on the command line to see why');
}
