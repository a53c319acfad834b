import { type Bench, type Benchmark, usualCpus } from './benchmark.ts';
import { finished, type Machine } from './machine/machine.ts';
import { Drain } from './measure/drain.ts';
import { median } from './measure/median.ts';
import { defaultRing, pageBytesOf, resetRings } from './measure/ring.ts';
import { alternate } from './measure/rounds.ts';
import { ableSides } from './sides/able.ts';
import { defaultOptions, type Side } from './sides/side.ts';

const columns = [
  'case',
  'calls/s',
  'slower than untraced %',
  'of the floor',
  'calls/CPU s',
  'of the floor per CPU s',
];
const slowMs = 60_000;

/** Not traced; traced but not read; traced and read by a side. */
type Case = 'untraced' | 'unread' | Side;

interface Pace {
  readonly perSecond: number;
  /** Per second of the program's own CPU time: the cost of tracing inside the program. */
  readonly perCpuSecond: number;
}

/** Slowdown of a program whose every system call causes two events, while each side reads them on the same CPU. */
export const slowdown: Benchmark = {
  name: 'slowdown',
  on: ['native', 'guest'],
  async run(bench) {
    const machine = await bench.open(usualCpus);
    const sides = await ableSides(machine, bench);
    const [floorSide] = sides;
    const cases: Case[] = ['untraced', 'unread', ...sides];
    const { rounds } = bench.extent;
    const found = await alternate(cases, rounds, (one) => paceIn(machine, one, bench));
    const middle = (one: Case | undefined, field: keyof Pace): number =>
      median((one === undefined ? undefined : found.get(one))?.map((pace) => pace[field]) ?? []);
    const rows = cases.map((one) => ({
      case: nameOf(one),
      'calls/s': Math.round(middle(one, 'perSecond')),
      'slower than untraced %': 100 * (1 - middle(one, 'perSecond') / middle('untraced', 'perSecond')),
      'of the floor': middle(one, 'perSecond') / middle(floorSide, 'perSecond'),
      'calls/CPU s': Math.round(middle(one, 'perCpuSecond')),
      'of the floor per CPU s': middle(one, 'perCpuSecond') / middle(floorSide, 'perCpuSecond'),
    }));
    const title = 'a loop of getppid, each call traced by sys_enter and sys_exit';
    return { name: `slowdown ${bench.kind}`, title, columns, rows };
  },
};

function nameOf(one: Case): string {
  return typeof one === 'string' ? one : one.name;
}

async function paceIn(machine: Machine, one: Case, { extent, say }: Bench): Promise<Pace> {
  await resetRings(machine, defaultRing);
  const pageBytes = await pageBytesOf(machine);
  const drains = await Promise.all(machine.cpus.map((cpu) => Drain.open(machine.hostFifo(cpu), pageBytes)));
  const moving = typeof one === 'string' ? undefined : await one.start(machine, defaultOptions);
  if (one !== 'untraced') await machine.write(`${machine.tracefsDir}/events/raw_syscalls/enable`, '1');
  const loop = [
    await machine.program('call-loop'),
    String(machine.cpus[0] ?? 0),
    String(extent.seconds * 1000),
  ];
  // trace only its own calls: other programs are not part of the measurement
  const traced = [
    '/bin/sh',
    '-c',
    'echo $$ > "$0"; exec "$@"',
    `${machine.tracefsDir}/set_event_pid`,
    ...loop,
  ];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program wrote it
  const said = JSON.parse(await finished(await machine.spawn(traced), slowMs)) as {
    calls: number;
    wallNs: number;
    cpuNs: number;
  };
  await moving?.stop();
  await resetRings(machine, defaultRing);
  for (const drain of drains) await drain.end();
  say(`${nameOf(one)}: ${Math.round((said.calls / said.wallNs) * 1e6)} thousand calls a second`);
  return { perSecond: (said.calls / said.wallNs) * 1e9, perCpuSecond: (said.calls / said.cpuNs) * 1e9 };
}
