import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertRecording } from '../src/trace/convert/convert.ts';
import { repoRoot } from '../test/repo-root.ts';
import { type MadeEvent, switchData, wakeData, writeRecording } from '../test/unit/analysis/made-trace.ts';
import type { Benchmark } from './benchmark.ts';
import { median } from './measure/median.ts';
import { alternate } from './measure/rounds.ts';
import type { Row } from './report/table.ts';

const columns = ['program', 'seconds', 'M events/s', 'times trace-cmd report'];
const cpus = 2;
const tasksOfCpu = 50;

/** A program that reads the file; its output is thrown away. */
interface Reader {
  readonly name: string;
  readonly argv: readonly string[];
}

/** How fast `trace-host report` and `summary` read a file of scheduler events, compared with `trace-cmd report`. */
export const reading: Benchmark = {
  name: 'reading',
  on: ['native'],
  async run({ extent, say }) {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-bench-'));
    try {
      const events = madeEvents(extent.small ? 10_000 : 400_000);
      const file = join(dir, 'trace.dat');
      writeRecording(join(dir, 'trace.recording'), events, { clock: 'global' });
      await convertRecording(join(dir, 'trace.recording'), { out: file });
      const program = join(repoRoot, 'dist/bin/trace-host.js');
      const ours = ['report --jobs 1', 'report --jobs 2', 'summary'].map((command): Reader => {
        return {
          name: `trace-host ${command}`,
          argv: [process.execPath, program, ...command.split(' '), file],
        };
      });
      const theirs: Reader = { name: 'trace-cmd report', argv: ['trace-cmd', 'report', file] };
      const readers = isThere('trace-cmd') ? [theirs, ...ours] : ours;
      const found = await alternate(readers, extent.rounds, async (reader) => {
        const seconds = secondsOf(reader);
        say(`${reader.name}: ${seconds.toFixed(2)} s`);
        return seconds;
      });
      const floor = median(found.get(theirs) ?? [Number.NaN]);
      const rows = readers.map((reader): Row => {
        const seconds = median(found.get(reader) ?? []);
        return {
          program: reader.name,
          seconds,
          'M events/s': events.length / seconds / 1e6,
          'times trace-cmd report': floor / seconds,
        };
      });
      return { name: 'reading native', title: `${events.length} scheduler events`, columns, rows };
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
};

/** On each CPU tasks wake one another in turns: a waking, a wakeup and a switch each. */
function madeEvents(turns: number): MadeEvent[] {
  const events: MadeEvent[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const cpu = turn % cpus;
    const step = Math.floor(turn / cpus);
    const pid = (number: number): number => 100 + cpu * tasksOfCpu + (number % tasksOfCpu);
    const [prev, next] = [pid(step), pid(step + 1)];
    const ns = 1_000_000 + turn * 3000;
    events.push({ cpu, ns, pid: prev, data: wakeData('waking', prev, next) });
    events.push({ cpu, ns: ns + 700, pid: prev, data: wakeData('wakeup', prev, next) });
    events.push({ cpu, ns: ns + 1500 + (turn % 997), pid: prev, data: switchData(prev, 1n, next) });
  }
  return events;
}

function isThere(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

function secondsOf({ name, argv }: Reader): number {
  const [program = '', ...args] = argv;
  const sinceMs = performance.now();
  const { status, stderr } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${name}: exit code ${status}\n${stderr}`);
  return (performance.now() - sinceMs) / 1000;
}
