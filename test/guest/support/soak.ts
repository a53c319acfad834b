import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestAgent } from './agent.ts';
import { descriptorsOf, rssKbOf } from './measures.ts';
import { TracedGuest } from './traced-guest.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly cpus: number;
  /** Called with a progress line from time to time. */
  readonly say: (line: string) => void;
}

/** Memory and descriptors at one moment; for workers, the sums. */
export interface SoakSample {
  readonly seconds: number;
  readonly supervisorKb: number;
  readonly workersKb: number;
  readonly supervisorDescriptors: number;
  readonly workersDescriptors: number;
}

const load = { rate: 1000, size: 200, seconds: 10 } as const;
/** Time for recovery after a fault, and for the back-off of a killed worker to start over. */
const calmMs = 4000;
const samples = 12;
/** Maximum growth of Node's heaps between two garbage collections. */
const growthMost = 1.15;

/**
 * An agent under moderate load, with faults injected: workers killed and stopped, readers and guest paused, orders.
 * Throws when a marker is missing or duplicated, or when memory or descriptors grow. @returns the samples
 */
export async function soak({ minutes, cpus, say }: SoakOptions): Promise<SoakSample[]> {
  await using traced = await TracedGuest.boot({ cpus });
  const agent = await GuestAgent.start(traced.guest, '--start', '--max-restarts', '1000');
  // The largest operation, so that the agent's heap has its full size from the first sample on.
  await askAll(traced, agent);
  const beginMs = performance.now();
  const endMs = beginMs + minutes * 60_000;
  const taken: SoakSample[] = [];
  const writing = keepWriting(traced, endMs);
  const mischiefs = mischiefsOf(traced, agent);
  await sleep(calmMs);
  for (let turn = 0; performance.now() < endMs; turn += 1) {
    const due = beginMs + (taken.length * minutes * 60_000) / samples;
    if (performance.now() >= due) {
      const sample = await sampleOf(traced, agent, beginMs);
      taken.push(sample);
      say(JSON.stringify(sample));
    }
    const [name, doIt] = mischiefs[turn % mischiefs.length] ?? assert.fail();
    await doIt();
    say(name);
    await sleep(calmMs);
  }
  await writing;
  taken.push(await sampleOf(traced, agent, beginMs));
  await agent.order0();
  await agent.end();
  await traced.assertAccounted();
  for (const cpu of traced.cpus) {
    const { written, received, overrun } = await traced.account(cpu);
    say(`CPU ${cpu}: ${received} received + ${overrun} overrun = ${written} written`);
  }
  assertFlat(taken);
  return taken;
}

async function keepWriting(traced: TracedGuest, endMs: number): Promise<void> {
  while (performance.now() < endMs - 1000) {
    const seconds = Math.min(load.seconds, Math.floor((endMs - performance.now()) / 1000));
    await traced.load({ rate: load.rate, size: load.size, count: load.rate * seconds });
  }
}

function mischiefsOf(traced: TracedGuest, agent: GuestAgent): [name: string, doIt: () => Promise<void>][] {
  const { guest, cpus } = traced;
  let turn = 0;
  const nextCpu = (): number => cpus[turn++ % cpus.length] ?? 0;
  const signal = async (cpu: number, name: string): Promise<void> => {
    const pid = (await agent.workers()).get(cpu);
    if (pid !== undefined) await guest.run(`kill -${name} ${pid}`);
  };
  return [
    ['a worker killed', () => signal(nextCpu(), 'KILL')],
    [
      'a reader paused',
      async () => {
        const collector = traced.collector(nextCpu());
        collector.pause();
        await sleep(3000);
        collector.resume();
      },
    ],
    [
      'a worker stopped and continued',
      async () => {
        const cpu = nextCpu();
        await signal(cpu, 'STOP');
        await sleep(2000);
        await signal(cpu, 'CONT');
      },
    ],
    [
      'the guest paused',
      async () => {
        await guest.qmp('stop');
        await sleep(1500);
        await guest.qmp('cont');
      },
    ],
    [
      'stopped and started',
      async () => {
        await agent.order0();
        await agent.order1();
      },
    ],
    [
      'a reader closed and opened',
      async () => {
        const collector = traced.collector(nextCpu());
        await collector.close();
        await sleep(1000);
        await collector.open();
      },
    ],
    ['status and metadata', () => askAll(traced, agent)],
  ];
}

async function askAll({ guest }: TracedGuest, agent: GuestAgent): Promise<void> {
  await agent.ask('status');
  const { bytes } = await agent.ask('metadata');
  await guest.control.received.bytes(bytes);
}

/** Takes a sample once every CPU has a running worker; a new worker counts like an old one. */
async function sampleOf(traced: TracedGuest, agent: GuestAgent, beginMs: number): Promise<SoakSample> {
  await agent.waitRunning(traced.cpus);
  const workers = await agent.workers();
  let workersKb = 0;
  let workersDescriptors = 0;
  for (const pid of workers.values()) {
    workersKb += await rssKbOf(traced.guest, pid);
    workersDescriptors += await descriptorsOf(traced.guest, pid);
  }
  return {
    seconds: Math.round((performance.now() - beginMs) / 1000),
    supervisorKb: await rssKbOf(traced.guest, agent.process.pid),
    workersKb,
    supervisorDescriptors: await descriptorsOf(traced.guest, agent.process.pid),
    workersDescriptors,
  };
}

/**
 * Compares the end with the maximum of the first half. By then Node's heaps have their full size, except those of
 * workers that are new at a sample.
 */
function assertFlat(taken: readonly SoakSample[]): void {
  const first = taken.slice(0, (taken.length >> 1) + 1);
  const last = taken.at(-1) ?? assert.fail();
  const kinds = {
    supervisorKb: growthMost,
    workersKb: growthMost,
    supervisorDescriptors: 1,
    workersDescriptors: 1,
  };
  for (const of of ['supervisorKb', 'workersKb', 'supervisorDescriptors', 'workersDescriptors'] as const) {
    const most = Math.max(...first.map((sample) => sample[of])) * kinds[of];
    assert.ok(last[of] <= most, `${of}: ${taken.map((sample) => sample[of]).join(', ')}`);
  }
}
