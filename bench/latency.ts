import { setTimeout as sleep } from 'node:timers/promises';
import { type Benchmark, usualCpus } from './benchmark.ts';
import type { Machine } from './machine/machine.ts';
import { Drain } from './measure/drain.ts';
import { writeMarkers } from './measure/load.ts';
import { median } from './measure/median.ts';
import { defaultRing, pageBytesOf, resetRings } from './measure/ring.ts';
import type { Row } from './report/table.ts';
import { endAgent, startAgent } from './sides/agent.ts';

const columns = ['what', 'median ms', 'least ms', 'most ms', 'times'];
const slowMs = 120_000;
const flushIntervalMs = 100;
/** More than a page on each CPU. */
const waiting = { rate: 0, count: 100 };
const flowing = { rate: 2000, count: 2000 };
const settleMs = 300;

/** Latency at the host: first page after `1`, last page after `0`, and one event while pages fill slowly. */
export const latency: Benchmark = {
  name: 'latency',
  on: ['native', 'guest'],
  async run({ kind, extent, open, say }) {
    const machine = await open(usualCpus);
    const times = extent.small ? 2 : 2 * extent.rounds;
    const first: number[] = [];
    const last: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const { firstMs, lastMs } = await orders(machine);
      say(`first page ${firstMs.toFixed(1)} ms behind 1, last ${lastMs.toFixed(1)} ms behind 0`);
      first.push(firstMs);
      last.push(lastMs);
    }
    const event = await events(machine, times * 2);
    const rows = [
      row('echo 1 to first page, one being full', first),
      row('echo 0 to last page under load', last),
      row(`event to host, --flush-interval ${flushIntervalMs}`, event),
    ];
    return { name: `latency ${kind}`, title: 'by the clock of the host', columns, rows };
  },
};

function row(what: string, ms: readonly number[]): Row {
  return {
    what,
    'median ms': median(ms),
    'least ms': Math.min(...ms),
    'most ms': Math.max(...ms),
    times: ms.length,
  };
}

async function orders(machine: Machine): Promise<{ firstMs: number; lastMs: number }> {
  await resetRings(machine, defaultRing);
  const pageBytes = await pageBytesOf(machine);
  const drains = await Promise.all(machine.cpus.map((cpu) => Drain.open(machine.hostFifo(cpu), pageBytes)));
  const task = await startAgent(machine);
  await writeMarkers(machine, waiting);
  const startedNs = process.hrtime.bigint();
  await machine.order('1\n');
  await task.waitFor(/"msg":"started"/, slowMs);
  await sleep(settleMs);
  const first = await Promise.all(drains.map((drain) => drain.received()));
  const load = writeMarkers(machine, flowing);
  await sleep(settleMs * 2);
  const stoppedNs = process.hrtime.bigint();
  await machine.order('0\n');
  await task.waitFor(/"msg":"stopped"/, slowMs);
  await load;
  await sleep(settleMs);
  const last = await Promise.all(drains.map((drain) => drain.received()));
  await endAgent(task);
  for (const drain of drains) await drain.end();
  return {
    firstMs: Math.max(...first.map(({ firstNs }) => milliseconds(startedNs, firstNs))),
    lastMs: Math.max(...last.map(({ lastNs }) => milliseconds(stoppedNs, lastNs))),
  };
}

/** Time from telling a running shell to write an event until the page with it arrives at the host. */
async function events(machine: Machine, times: number): Promise<number[]> {
  await resetRings(machine, defaultRing);
  const cpu = machine.cpus[0] ?? 0;
  const script = `while read line; do echo $line > ${machine.tracefsDir}/trace_marker; done`;
  const writer = await machine.spawn(['taskset', taskMask(cpu), '/bin/sh', '-c', script]);
  const task = await startAgent(machine, '--flush-interval', String(flushIntervalMs), '--start');
  await task.waitFor(/"msg":"started"/, slowMs);
  const drain = await Drain.open(machine.hostFifo(cpu), await pageBytesOf(machine), true);
  const found: number[] = [];
  for (let time = 0; time < times; time += 1) {
    // avoid synchronising with the flushes
    await sleep(settleMs + ((time * 37) % flushIntervalMs));
    const atNs = process.hrtime.bigint();
    writer.write(`event ${time}\n`);
    found.push(milliseconds(atNs, await drain.arrival(atNs)));
  }
  writer.kill();
  await writer.wait();
  await endAgent(task);
  await drain.end();
  return found;
}

function taskMask(cpu: number): string {
  return `0x${(1 << cpu).toString(16)}`;
}

function milliseconds(fromNs: bigint, toNs: bigint): number {
  return Number(toNs - fromNs) / 1e6;
}
