import { setTimeout as sleep } from 'node:timers/promises';
import { signalIfThere, workersOf } from '../test/local/harness/processes.ts';
import { type Bench, type Benchmark, usualCpus } from './benchmark.ts';
import type { Machine, Task } from './machine/machine.ts';
import { Drain } from './measure/drain.ts';
import { markerBytes, writeMarkers } from './measure/load.ts';
import { median } from './measure/median.ts';
import { defaultRing, pageBytesOf, resetRings } from './measure/ring.ts';
import { alternate } from './measure/rounds.ts';
import { assertAccount, lostOf, measure, type Moved } from './measure/run.ts';
import type { Row } from './report/table.ts';
import { agent, endAgent, startAgent } from './sides/agent.ts';
import { noFile, type Side } from './sides/side.ts';

const columns = [
  'workers that die',
  'first page after ms',
  'at the most ms',
  'kills',
  'events lost',
  'of all %',
];
const slowMs = 120_000;
/** A few pages on each CPU, fewer than would wake a worker. */
const waiting = { rate: 0, count: 100 };
const rate = 20_000;
const killEveryMs = 200;

/** An agent with these options. */
interface Variant {
  readonly name: string;
  readonly options: readonly string[];
}

const variants: readonly Variant[] = [
  { name: 'standby', options: [] },
  { name: 'no standby', options: ['--no-standby'] },
];

/** How long a CPU has no worker after its worker is killed, and what is lost meanwhile, with and without a standby. */
export const replacement: Benchmark = {
  name: 'replacement',
  on: ['native'],
  async run(bench) {
    const machine = await bench.open(usualCpus);
    const { small, rounds } = bench.extent;
    const gaps = await alternate(variants, small ? 1 : 2 * rounds, (variant) => gapsOf(machine, variant));
    const killed = await alternate(variants, rounds, (variant) => killing(machine, variant, bench));
    const rows = variants.map((variant): Row => {
      const ms = (gaps.get(variant) ?? []).flat();
      const runs = killed.get(variant) ?? [];
      return {
        'workers that die': variant.name,
        'first page after ms': median(ms),
        'at the most ms': Math.max(...ms),
        kills: median(runs.map(({ kills }) => kills)),
        'events lost': median(runs.map(({ moved }) => lostOf(moved))),
        'of all %': median(runs.map(({ moved }) => (100 * lostOf(moved)) / moved.written)),
      };
    });
    const megabytes = (rate * markerBytes) / 1e6;
    const title = `a worker killed once; one of ${machine.cpus.length} every ${killEveryMs} ms at ${megabytes} MB/s per CPU`;
    return { name: `replacement ${machine.kind}`, title, columns, rows };
  },
};

/**
 * Time from the SIGKILL of each CPU's first worker to the first page at the host. The ring already has pages: the worker
 * is stopped while they are written, so that its successor moves them.
 */
async function gapsOf(machine: Machine, { options }: Variant): Promise<number[]> {
  await resetRings(machine, defaultRing);
  await writeMarkers(machine, waiting);
  const pageBytes = await pageBytesOf(machine);
  const task = await startAgent(machine, '--start', ...options);
  const found: number[] = [];
  for (const cpu of machine.cpus) {
    const drain = await Drain.open(machine.hostFifo(cpu), pageBytes, true);
    await drain.arrival(0n);
    const pid = workerOf(task, cpu);
    if (pid === undefined) throw new Error(`CPU ${cpu} has no worker\n${task.stderr}`);
    process.kill(pid, 'SIGSTOP');
    await writeMarkers(machine, waiting);
    const killedNs = process.hrtime.bigint();
    process.kill(pid, 'SIGKILL');
    found.push(Number((await drain.arrival(killedNs)) - killedNs) / 1e6);
    await drain.end();
  }
  await endAgent(task);
  return found;
}

interface Killed {
  readonly kills: number;
  readonly moved: Moved;
}

/** Kills the workers of the CPUs in turn while all CPUs are under load; never the standby. */
async function killing(
  machine: Machine,
  { name, options }: Variant,
  { extent, say }: Bench,
): Promise<Killed> {
  const seconds = extent.small ? 1 : 8;
  let kills = 0;
  const over = new AbortController();
  const side: Side = {
    ...agent,
    start: async () => {
      const task = await startAgent(machine, '--start', '--max-restarts', '1000', ...options);
      await task.waitFor(/"msg":"started"/, slowMs);
      const killer = (async () => {
        for (let turn = 0; !over.signal.aborted && turn < (seconds * 1000) / killEveryMs; turn += 1) {
          await sleep(killEveryMs);
          const pid = workerOf(task, machine.cpus[turn % machine.cpus.length] ?? 0);
          if (pid === undefined) continue; // one that is not there cannot die
          signalIfThere(pid, 'SIGKILL');
          kills += 1;
        }
      })();
      return {
        tasks: [task],
        fileBytes: noFile,
        stop: async () => {
          over.abort();
          await killer;
          await endAgent(task);
        },
      };
    },
  };
  const moved = await measure(machine, { side, load: { rate, count: rate * seconds } });
  assertAccount(moved, side);
  say(`${name}: ${kills} kills, ${lostOf(moved)} of ${moved.written} events lost`);
  return { kills, moved };
}

function workerOf({ pid }: Task, cpu: number): number | undefined {
  return workersOf(pid).find((worker) => worker.cpu === cpu)?.pid;
}
