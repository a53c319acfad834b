import { type Bench, type Benchmark, usualCpus } from './benchmark.ts';
import type { Machine } from './machine/machine.ts';
import { loadOf } from './measure/load.ts';
import { median } from './measure/median.ts';
import { defaultRing, type RingSettings } from './measure/ring.ts';
import { alternate } from './measure/rounds.ts';
import { assertAccount, lostOf, measure, secondsPerGb } from './measure/run.ts';
import type { Row } from './report/table.ts';
import { agent } from './sides/agent.ts';
import { cPump } from './sides/c-pump.ts';
import { defaultOptions, type SideOptions } from './sides/side.ts';

const columns = ['varied', 'value', 'side', 'CPU s/GB', 'ratio', 'lost'];
/** A rate that both kinds of machine sustain without loss. */
const mbPerSecond = { native: 40, guest: 10 } as const;

interface Variant {
  readonly varied: 'CPUs' | 'ring KB' | 'buffer_percent' | 'pipe KB';
  readonly value: number;
  readonly ring: RingSettings;
  readonly options: SideOptions;
}

/** Cost per GB while one setting varies and the others keep their defaults. */
export const growth: Benchmark = {
  name: 'growth',
  on: ['native', 'guest'],
  async run(bench) {
    const { small } = bench.extent;
    const rows: Row[] = [];
    for (const cpus of small ? [] : bench.kind === 'native' ? [1, 2] : [1, 4]) {
      const machine = await bench.open(cpus);
      if (machine.cpus.length !== cpus) continue;
      rows.push(...(await atVariant(machine, variant('CPUs', cpus), bench)));
    }
    const machine = await bench.open(usualCpus);
    for (const one of variants(small)) rows.push(...(await atVariant(machine, one, bench)));
    const title = `CPU seconds for a GB of trace at ${mbPerSecond[bench.kind]} MB/s per CPU, one setting varied`;
    return { name: `growth ${bench.kind}`, title, columns, rows };
  },
};

function variant(varied: Variant['varied'], value: number): Variant {
  const plain: Variant = { varied, value, ring: defaultRing, options: defaultOptions };
  switch (varied) {
    case 'CPUs':
      return plain;
    case 'ring KB':
      return { ...plain, ring: { ...defaultRing, bufferKb: value } };
    case 'buffer_percent':
      return { ...plain, ring: { ...defaultRing, bufferPercent: value } };
    case 'pipe KB':
      return { ...plain, options: { ...defaultOptions, pipeBytes: value << 10 } };
    default:
      return varied satisfies never;
  }
}

function variants(small: boolean): Variant[] {
  if (small) return [variant('pipe KB', 64)];
  return [
    ...[352, 704, 1408, 2816, 5632].map((kb) => variant('ring KB', kb)),
    ...[10, 25, 50, 75].map((percent) => variant('buffer_percent', percent)),
    ...[64, 128, 256, 512, 1024].map((kb) => variant('pipe KB', kb)),
  ];
}

async function atVariant(machine: Machine, one: Variant, { extent, say, kind }: Bench): Promise<Row[]> {
  const { varied, value, ring, options } = one;
  const load = await loadOf(machine, mbPerSecond[kind], extent.seconds);
  const found = await alternate([cPump, agent], extent.rounds, async (side) => {
    const moved = await measure(machine, { side, load, ring, options });
    assertAccount(moved, side);
    say(`${varied} ${value} ${side.name}: ${secondsPerGb(moved).toFixed(3)} s/GB`);
    return moved;
  });
  const floor = median((found.get(cPump) ?? []).map(secondsPerGb));
  return [...found].map(([side, moved]) => {
    const perGb = median(moved.map(secondsPerGb));
    const lost = median(moved.map(lostOf));
    return { varied, value, side: side.name, 'CPU s/GB': perGb, ratio: perGb / floor, lost };
  });
}
