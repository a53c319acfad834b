import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Writable } from 'node:stream';
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
 * Like `runTool`, but writes the output to a stream as it comes, and destroys that if the command fails. A closed stream
 * ends the command.
 * @param take what of a chunk is to be written; an empty result ends the command
 */
export function streamTool(
  children: Children,
  args: readonly string[],
  limits: ToolLimits,
  to: Writable,
  take: (chunk: Buffer) => Buffer = (chunk) => chunk,
): Promise<void> {
  refuseMany();
  return reading(async () => {
    let isEnough = false;
    const more = async (chunk: Buffer): Promise<boolean> => {
      const taken = isEnough ? chunk.subarray(0, 0) : take(chunk);
      isEnough ||= taken.length < chunk.length;
      if (taken.length > 0 && !to.write(taken))
        await new Promise<void>((resolve) => {
          to.once('drain', resolve).once('close', resolve);
        });
      return !isEnough && !to.destroyed;
    };
    await run(children, args, limits, more);
    to.end();
  }).catch((cause: unknown) => {
    to.destroy(cause instanceof Error ? cause : undefined);
    throw cause;
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
