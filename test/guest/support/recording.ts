import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostProgram } from './trace-host.ts';
import type { Ended } from './trace-host.ts';

/** The output of `record --json` for one guest. */
export interface Recorded {
  readonly file: string;
  readonly events: number;
  readonly lostEvents: string;
  readonly uncountedLosses: number;
  readonly earlierEvents: number;
  readonly symbols?: string;
  readonly unseen?: readonly string[] | null;
  readonly eventsByName: Record<string, number>;
  /** Of a guest that was recorded with its host. */
  readonly clock?: readonly {
    readonly boundNs: number;
    readonly medianBoundNs: number;
    readonly methods: readonly string[];
    readonly samples: number;
  }[];
  readonly cpus: readonly { readonly cpu: number; readonly overrun: number; readonly readEvents?: number }[];
}

export function parsedReports(stdout: string): Recorded[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
  return JSON.parse(stdout) as Recorded[];
}

/** A running recording. */
export interface RunningRecord {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until it has printed a text; fails when it ends without printing it. */
  readonly said: (text: string) => Promise<void>;
  /** The whole lines that it has printed to stdout. */
  readonly lines: () => readonly string[];
  /** Waits until it has printed that many lines to stdout; fails when it ends before. */
  readonly printed: (lines: number) => Promise<void>;
}

/** `trace-host record` of the guest whose ports are in `portsDir`, as a user starts it in `cwd`. */
export function startRecord(
  portsDir: string,
  out: string,
  cwd: string,
  args: readonly string[],
  timeout = '120s',
): RunningRecord {
  const common = ['--dir', portsDir, '--timeout', timeout, '-o', out];
  return startRecording(cwd, ['record', ...common, ...args]);
}

/** A command of trace-host that records, as a user starts it in `cwd`. */
export function startRecording(
  cwd: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): RunningRecord {
  const child = spawn(process.execPath, [hostProgram, ...args], { cwd, env });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  const lines = (): string[] => stdout.split('\n').slice(0, -1);
  return {
    child,
    ended,
    lines,
    said: async (text) => {
      while (!stderr.includes(text) && child.exitCode === null) await sleep(50);
      assert.ok(stderr.includes(text), stderr);
    },
    printed: async (count) => {
      const isEnough = (): boolean => lines().length >= count;
      while (!isEnough() && child.exitCode === null) await sleep(50);
      assert.ok(isEnough(), stderr);
    },
  };
}

/** The event lines of trace-cmd report for a file; asserts that trace-cmd prints no warning. */
export function reportLines(out: string, ...args: string[]): string[] {
  const { status, stdout, stderr } = spawnSync('trace-cmd', ['report', ...args, '-i', out], {
    maxBuffer: 1 << 30,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => /^\s+\S.*-\d+\s+\[\d+\]/.test(line));
}
