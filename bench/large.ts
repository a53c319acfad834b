import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repoRoot } from '../test/repo-root.ts';
import type { Benchmark } from './benchmark.ts';
import { median } from './measure/median.ts';
import { writeRepeated } from './measure/repeated-trace.ts';
import { alternate } from './measure/rounds.ts';
import { type Spent, spent } from './measure/spent.ts';

const program = join(repoRoot, 'dist/bin/trace-host.js');
/** Lines that a report prints before the first event. */
const linesBefore = 1;

interface Side {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether it prints a line for each event. */
  readonly printsLines: boolean;
}

/** Time, peak memory and first line of programs that read a large trace.dat, compared with a report by one thread. */
export const large: Benchmark = {
  name: 'large',
  on: ['native'],
  async run({ extent: { small }, say }) {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-large-'));
    try {
      const trace = join(dir, 'trace.dat');
      const events = await writeRepeated(dir, trace, small ? 20 : 4150);
      const ours = (printsLines: boolean, name: string, ...args: string[]): Side => ({
        name,
        command: [process.execPath, program, ...args, trace],
        printsLines,
      });
      const theirs: Side = {
        name: 'trace-cmd report',
        command: ['trace-cmd', 'report', trace],
        printsLines: true,
      };
      const one = ours(true, 'report --jobs 1', 'report', '--jobs', '1');
      const sides = [
        ...(spawnSync('trace-cmd', ['--version'], { stdio: 'ignore' }).error === undefined ? [theirs] : []),
        one,
        ours(true, 'report --jobs 2', 'report', '--jobs', '2'),
        ours(false, 'summary', 'summary'),
        ours(false, 'export --to perfetto', 'export', '--to', 'perfetto', '-o', '-'),
      ];
      const values = await alternate(
        sides,
        1,
        async (side): Promise<Spent & { readonly firstMs: number }> => {
          const firstMs = side.printsLines ? await firstLineMs(side.command) : Number.NaN;
          const value = await spent(side.command);
          say(`${side.name}: ${value.seconds.toFixed(2)} s`);
          return { ...value, firstMs };
        },
      );
      const of = (side: Side, name: keyof Spent | 'firstMs'): number =>
        median((values.get(side) ?? []).map((value) => value[name]));
      return {
        name: 'large native',
        title: `${events} events of 2 CPUs`,
        columns: ['side', 's', 'times as fast as one thread', 'peak MB', 'first line ms'],
        rows: sides.map((side) => ({
          side: side.name,
          s: of(side, 'seconds'),
          'times as fast as one thread': of(one, 'seconds') / of(side, 'seconds'),
          'peak MB': of(side, 'peakMb'),
          'first line ms': of(side, 'firstMs'),
        })),
      };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

/** Time until a command has printed an event. */
async function firstLineMs([command = '', ...args]: readonly string[]): Promise<number> {
  const fromMs = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let lines = 0;
  for await (const piece of child.stdout) {
    lines += String(piece).split('\n').length - 1;
    if (lines > linesBefore) break;
  }
  const ms = performance.now() - fromMs;
  // it ends when it cannot write any more
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return ms;
}
