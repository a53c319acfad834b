/** `npm run bench`: measures the cost of the agent and compares it with other tools and with a minimal C program. */
import { exitCode } from '../src/base/failure.ts';
import type { Benchmark } from './benchmark.ts';
import { clock } from './clock.ts';
import { collect } from './collect.ts';
import { cost, hostCost } from './cost.ts';
import { explain } from './explain.ts';
import { exports } from './export.ts';
import { growth } from './growth.ts';
import { large } from './large.ts';
import { latency } from './latency.ts';
import { Machines } from './machine/machines.ts';
import { page } from './page.ts';
import { memory } from './memory.ts';
import { replacement } from './replacement.ts';
import { type BenchOptions, parseBenchOptions, usage } from './options.ts';
import { addResults } from './report/results.ts';
import { tableText } from './report/table.ts';
import { slowdown } from './slowdown.ts';
import { reading } from './reading.ts';
import { timeline } from './timeline.ts';
import { endWithFailure } from '../tools/end-with-failure.ts';

const benchmarks: readonly Benchmark[] = [
  cost,
  slowdown,
  memory,
  latency,
  growth,
  replacement,
  collect,
  reading,
  exports,
  large,
  clock,
  hostCost,
  explain,
  timeline,
  page,
];

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Set once a signal has arrived. */
let leaving: Promise<void> | undefined;

function say(text: string): void {
  process.stderr.write(`${process.uptime().toFixed(1).padStart(6)} s  ${text}\n`);
}

async function runAll({ names, machines, extent, json }: BenchOptions): Promise<void> {
  for (const kind of machines) {
    const wanted = benchmarks.filter(
      ({ name, on }) => on.includes(kind) && (names.length === 0 || names.includes(name)),
    );
    if (wanted.length === 0) continue;
    const machines = new Machines(kind);
    // a tracefs instance and a directory of FIFOs outlive their creator
    const leave = (): void => {
      leaving ??= machines.close().finally(() => process.exit(exitCode.failed));
    };
    for (const signal of signals) process.once(signal, leave);
    try {
      for (const benchmark of wanted) {
        say(`${benchmark.name}, ${kind}`);
        const table = await benchmark.run({ kind, extent, say, open: (cpus) => machines.open(cpus) });
        process.stdout.write(`${tableText(table)}\n`);
        if (json !== undefined) addResults(json, [table]);
      }
    } finally {
      for (const signal of signals) process.off(signal, leave);
      await machines.close();
    }
  }
}

try {
  const known = benchmarks.map(({ name }) => name);
  const options = parseBenchOptions(process.argv.slice(2), known);
  if (options.help) process.stdout.write(`${usage}\n`);
  else await runAll(options);
} catch (error) {
  // errors from here on are only caused by closing the machine
  if (leaving !== undefined) await leaving;
  endWithFailure('bench', error);
}
