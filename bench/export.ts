import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark } from './benchmark.ts';
import { median } from './measure/median.ts';
import { writeRepeated } from './measure/repeated-trace.ts';
import { alternate } from './measure/rounds.ts';
import { spent } from './measure/spent.ts';

const program = fileURLToPath(new URL('../bin/trace-host.js', import.meta.url));

/** Exports of one trace.dat, compared with `trace-cmd report` to /dev/null on the same file. */
export const exports: Benchmark = {
  name: 'export',
  on: ['native'],
  async run({ extent: { small, rounds }, say }) {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-export-'));
    try {
      const trace = join(dir, 'trace.dat');
      const events = await writeRepeated(dir, trace, small ? 5 : 150);
      const tables = join(dir, 'tables');
      const toStdout = (...options: string[]): string[] => [
        process.execPath,
        program,
        'export',
        trace,
        '-o',
        '-',
        ...options,
      ];
      const toTables = (format: string): string[] => [
        process.execPath,
        program,
        'export',
        trace,
        '-o',
        tables,
        '--to',
        format,
      ];
      const sides = [
        { name: 'trace-cmd report', command: ['trace-cmd', 'report', '-i', trace] },
        { name: 'perfetto', command: toStdout('--to', 'perfetto') },
        { name: 'perfetto --gzip', command: toStdout('--to', 'perfetto', '--gzip') },
        { name: 'perfetto --generic-events', command: toStdout('--to', 'perfetto', '--generic-events') },
        { name: 'ndjson', command: toStdout('--to', 'ndjson') },
        { name: 'csv', command: toTables('csv') },
        { name: 'parquet', command: toTables('parquet') },
      ];
      const values = await alternate(sides, rounds, async ({ name, command }) => {
        rmSync(tables, { recursive: true, force: true });
        const value = await spent(command);
        say(`${name}: ${value.seconds.toFixed(2)} s`);
        return value;
      });
      const secondsOf = (side: (typeof sides)[number]): number =>
        median((values.get(side) ?? []).map(({ seconds }) => seconds));
      const [base] = sides;
      return {
        name: 'export native',
        title: `exports of ${events} events, compared with trace-cmd report`,
        columns: ['side', 's', 'M events/s', 'times as fast', 'peak MB'],
        rows: sides.map((side) => ({
          side: side.name,
          s: secondsOf(side),
          'M events/s': events / secondsOf(side) / 1e6,
          'times as fast': secondsOf(base!) / secondsOf(side),
          'peak MB': median((values.get(side) ?? []).map(({ peakMb }) => peakMb)),
        })),
      };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};
