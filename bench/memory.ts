import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, type Benchmark, usualCpus } from './benchmark.ts';
import { finished, type Machine } from './machine/machine.ts';
import { manyCpus } from './machine/many-cpus.ts';
import { cpuTimes, total } from './measure/cpu-time.ts';
import { writeMarkers } from './measure/load.ts';
import { type ProcessMemory, memoryBelow } from './measure/memory.ts';
import { median } from './measure/median.ts';
import { defaultRing, resetRings } from './measure/ring.ts';
import type { Row } from './report/table.ts';

const columns = [
  'workers',
  'ready ms',
  'as many bare Nodes ms',
  'CPU s to ready',
  'worker PSS MiB',
  'worker private dirty MiB',
  'supervisor PSS MiB',
  'supervisor private dirty MiB',
  'standby PSS MiB',
  'all PSS MiB',
];
const slowMs = 120_000;
const settleMs = 1000;

/** Memory of the agent and its time until ready, by number of workers. */
export const memory: Benchmark = {
  name: 'memory',
  on: ['native'],
  async run(bench) {
    const machine = await bench.open(usualCpus);
    const rows: Row[] = [];
    for (const workers of bench.extent.small ? [2, 8] : [2, 8, 32, 64]) {
      const found: Sample[] = [];
      const rounds = workers > 8 ? Math.ceil(bench.extent.rounds / 2) : bench.extent.rounds;
      for (let round = 0; round < rounds; round += 1) found.push(await sample(machine, workers, bench));
      rows.push(summary(workers, found));
    }
    const title = `memory and start to ready, ${machine.cpus.length} CPUs whatever the number of workers`;
    return { name: `memory ${machine.kind}`, title, columns, rows };
  },
};

interface Sample {
  readonly readyMs: number;
  /** The same with only Node to start: an empty script for the supervisor and for each worker. */
  readonly bareMs: number;
  /** CPU time of supervisor and workers: `readyMs` on a single CPU without other load. */
  readonly readyCpuSeconds: number;
  readonly supervisor: ProcessMemory;
  readonly workers: readonly ProcessMemory[];
  readonly standby: ProcessMemory;
}

/** Moves pages once the agent is ready, so that memory allocated by its first work is included. */
async function sample(machine: Machine, workers: number, { say }: Bench): Promise<Sample> {
  await resetRings(machine, defaultRing);
  const many = await manyCpus(machine, workers);
  const task = await machine.spawn(many.command);
  await task.waitFor(/^mounted$/m);
  const fromMs = performance.now();
  const [, able] = await task.waitFor(/"cpus":(\d+),"of":\d+,"msg":"ready"/, slowMs);
  const readyMs = performance.now() - fromMs;
  const readyCpuSeconds = total(await cpuTimes(machine, [task.pid])) / 1e9;
  if (Number(able) !== workers) throw new Error(`${able} of ${workers} workers are ready\n${task.stderr}`);
  const [, standbyPid] = await task.waitFor(/"pid":(\d+),"msg":"standby is ready"/, slowMs);
  await writeMarkers(machine, { rate: 5000, count: 2500 });
  await sleep(settleMs);
  const [supervisor, ...children] = await memoryBelow(machine, task.pid);
  const standby = children.find(({ pid }) => pid === Number(standbyPid));
  const others = children.filter((child) => child !== standby);
  if (supervisor === undefined || standby === undefined || others.length !== workers) {
    throw new Error(`${others.length} workers instead of ${workers}\n${task.stderr}`);
  }
  task.kill();
  // Exit code 5: nobody reads the ports.
  await task.wait(slowMs);
  await many.remove();
  const bareMs = await bareNodes(machine, 1 + workers);
  say(`${workers} workers ready after ${readyMs.toFixed(0)} ms, as many bare Nodes ${bareMs.toFixed(0)} ms`);
  return { readyMs, bareMs, readyCpuSeconds, supervisor, workers: others, standby };
}

async function bareNodes(machine: Machine, count: number): Promise<number> {
  const fromMs = performance.now();
  const started = Array.from({ length: count }, () => machine.spawn([process.execPath, '-e', '0']));
  for (const task of await Promise.all(started)) await finished(task, slowMs);
  return performance.now() - fromMs;
}

function summary(workers: number, samples: readonly Sample[]): Row {
  const all = samples.flatMap((one) => one.workers);
  const mib = (bytes: readonly number[]): number => median(bytes) / (1 << 20);
  return {
    workers,
    'ready ms': Math.round(median(samples.map(({ readyMs }) => readyMs))),
    'as many bare Nodes ms': Math.round(median(samples.map(({ bareMs }) => bareMs))),
    'CPU s to ready': median(samples.map((one) => one.readyCpuSeconds)),
    'worker PSS MiB': mib(all.map(({ pssBytes }) => pssBytes)),
    'worker private dirty MiB': mib(all.map(({ privateDirtyBytes }) => privateDirtyBytes)),
    'supervisor PSS MiB': mib(samples.map(({ supervisor }) => supervisor.pssBytes)),
    'supervisor private dirty MiB': mib(samples.map(({ supervisor }) => supervisor.privateDirtyBytes)),
    'standby PSS MiB': mib(samples.map(({ standby }) => standby.pssBytes)),
    'all PSS MiB': mib(
      samples.map((one) =>
        [one.supervisor, ...one.workers, one.standby].reduce((sum, { pssBytes }) => sum + pssBytes, 0),
      ),
    ),
  };
}
