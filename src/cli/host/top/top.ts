import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onEndSignals } from '../../../base/end-signals.ts';
import { type ExitCode, exitCode, Failure } from '../../../base/failure.ts';
import { json, printable } from '../../../base/quoted.ts';
import { Recorder } from '../../../host/record/recorder.ts';
import { exitNow } from '../../../native/process/process.ts';
import { removeUnfinishedFiles, unfinishedFile } from '../../../trace/file/unfinished-files.ts';
import type { RecordCommand } from '../options/record-options.ts';
import type { TopCommand } from '../options/top-options.ts';
import { selfCommand } from '../self-command.ts';
import { countNowWord } from './count-now-word.ts';
import { Frames } from './frame.ts';
import type { CountAnswer, CountRequest } from './messages.ts';
import { Screen } from './screen.ts';
import { temporaryDir } from './temporary-dir.ts';

/** How long events may be held back until those of all CPUs have arrived; a single frame waits for them first. */
const warmUpMs = 2500;

/** Shows what machines do until the first reason to end. Throws Failure, also when no machine is left. */
export async function runTop(command: TopCommand): Promise<ExitCode> {
  const dir = temporaryDir();
  const unregister = unfinishedFile(dir);
  try {
    return await show(command, within(dir, command.recording));
  } finally {
    rmSync(dir, { recursive: true, force: true });
    unregister();
  }
}

async function show(command: TopCommand, options: RecordCommand): Promise<ExitCode> {
  const { host } = options;
  const words = selfCommand();
  const notes: string[] = [];
  let frames: Promise<void> | undefined;
  const ended = new AbortController();
  const recorder = new Recorder(
    { ...options, host: host && { ...host, command: words }, rotation: undefined },
    {
      phase: () => undefined,
      started: () => {
        frames = showFrames(command, options, recorder, screen, ended.signal).catch((cause: unknown) => {
          failure = cause;
          recorder.interrupt();
        });
      },
      progress: () => undefined,
      ending: () => ended.abort(),
      note: (text) => notes.push(text),
    },
  );
  let failure: unknown;
  const interrupt = (): void => recorder.interrupt();
  const screen = new Screen(interrupt);
  const stopListening = onEndSignals(
    interrupt,
    () => {
      screen.close();
      recorder.abandon();
      removeUnfinishedFiles();
      exitNow(exitCode.failed);
    },
    interrupt,
  );
  process.stdout.on('error', interrupt);
  try {
    const { end } = await recorder.run();
    await frames;
    if (failure !== undefined) throw failure;
    if (end.kind === 'failed') throw end.why;
    return exitCode.done;
  } finally {
    ended.abort();
    await frames;
    screen.close();
    stopListening();
    for (const note of notes) process.stderr.write(`trace-host: ${printable(note)}\n`);
  }
}

async function showFrames(
  { delayMs, once, json: asJson }: TopCommand,
  { guests, host }: RecordCommand,
  recorder: Recorder,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  const targets = host === undefined ? guests : [...guests, host];
  const frames = new Frames((machine) => {
    const kb = targets[machine]?.trace?.bufferKb;
    return kb === undefined ? undefined : kb * 1024;
  });
  const counting = new Counting();
  try {
    counting.send({
      kind: 'machines',
      machines: recorder.machines.map((machine) => ({ dir: machine.dir ?? '', host: machine.host })),
    });
    let sinceMs = performance.now();
    const next = async (): Promise<ReturnType<Frames['next']>> => {
      const answer = await counting.frame(signal);
      const spanMs = performance.now() - sinceMs;
      sinceMs = performance.now();
      return frames.next(recorder.machines, answer, spanMs);
    };
    if (once) {
      await sleep(warmUpMs, undefined, { signal });
      await counting.frame(signal);
      sinceMs = performance.now();
    }
    frames.begin(recorder.machines);
    for (;;) {
      await sleep(delayMs, undefined, { signal });
      const frame = await next();
      if (asJson) process.stdout.write(`${json(frame)}\n`);
      else screen.show(frame, !once);
      if (once) break;
    }
    recorder.interrupt();
  } catch (cause) {
    if (!signal.aborted) throw cause;
  } finally {
    counting.close();
  }
}

/** The process that counts. */
class Counting {
  readonly #child: ChildProcess;

  constructor() {
    const [program = '', ...words] = selfCommand();
    this.#child = spawn(program, [...words, countNowWord], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
      // Ctrl-C must not reach it
      detached: true,
    });
    this.#child.on('error', () => undefined);
  }

  send(request: CountRequest): void {
    this.#child.send(request, () => undefined);
  }

  /** Throws Failure if the process has ended. */
  frame(signal: AbortSignal): Promise<CountAnswer> {
    return new Promise((resolve, reject) => {
      const child = this.#child;
      const settle = (act: () => void): void => {
        child.off('message', answered).off('exit', died);
        signal.removeEventListener('abort', aborted);
        act();
      };
      const answered = (answer: CountAnswer): void => settle(() => resolve(answer));
      const died = (): void =>
        settle(() =>
          reject(new Failure(exitCode.failed, 'the process that counts has ended', 'start it again')),
        );
      const aborted = (): void => settle(() => reject(new Failure(exitCode.failed, 'interrupted')));
      child.on('message', answered).on('exit', died);
      signal.addEventListener('abort', aborted);
      if (signal.aborted) aborted();
      else if (child.connected) this.send({ kind: 'frame' });
      else died();
    });
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** The same recording, with its files in a directory. */
function within(dir: string, options: RecordCommand): RecordCommand {
  const moved = <Target extends { readonly out: string }>(target: Target): Target => ({
    ...target,
    out: join(dir, basename(target.out)),
  });
  const { guests, host } = options;
  return { ...options, guests: guests.map(moved), host: host === undefined ? undefined : moved(host) };
}
