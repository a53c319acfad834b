import { type Bench, type Benchmark, usualCpus } from './benchmark.ts';
import type { Machine } from './machine/machine.ts';
import { loadOf } from './measure/load.ts';
import { median } from './measure/median.ts';
import { defaultRing, resetRings } from './measure/ring.ts';
import { alternate } from './measure/rounds.ts';
import { assertAccount, lostOf, measure, secondsPerGb } from './measure/run.ts';
import type { Row } from './report/table.ts';
import { ableSides } from './sides/able.ts';
import { cPumpToFiles, cPumpToFilesFirst } from './sides/c-pump.ts';
import { recordHost } from './sides/record-host.ts';
import type { Side } from './sides/side.ts';

const columns = ['MB/s per CPU', 'side', 'CPU s/GB', 'spread', 'ratio', 'lost', 'lost %', 'reached MB/s'];

/** CPU seconds per GB of trace and lost events of each side, by rate. The first side is the floor. */
function costOf(
  { name, on }: Pick<Benchmark, 'name' | 'on'>,
  sidesOf: (machine: Machine, bench: Bench) => Promise<readonly Side[]>,
): Benchmark {
  return {
    name,
    on,
    async run(bench) {
      const machine = await bench.open(usualCpus);
      const sides = await sidesOf(machine, bench);
      const rows: Row[] = [];
      for (const rate of bench.extent.rates) rows.push(...(await atRate(machine, sides, rate, bench)));
      const title = `CPU seconds for a GB of trace and events lost, ${machine.cpus.length} CPUs`;
      return { name: `${name} ${machine.kind}`, title, columns, rows };
    },
  };
}

export const cost = costOf({ name: 'cost', on: ['native', 'guest'] }, ableSides);

/** A recording of this host, into files. */
export const hostCost = costOf({ name: 'host', on: ['native'] }, (_machine, { extent }) =>
  Promise.resolve(extent.small ? [cPumpToFiles, recordHost] : [cPumpToFiles, cPumpToFilesFirst, recordHost]),
);

async function atRate(
  machine: Machine,
  sides: readonly Side[],
  rate: number | undefined,
  { extent, say }: Bench,
): Promise<Row[]> {
  await resetRings(machine, defaultRing);
  const load = await loadOf(machine, rate, extent.seconds);
  const found = await alternate(sides, extent.rounds, async (side) => {
    const moved = await measure(machine, { side, load });
    assertAccount(moved, side);
    say(`${rate ?? 'flat out'} ${side.name}: ${secondsPerGb(moved).toFixed(3)} s/GB, ${lostOf(moved)} lost`);
    return moved;
  });
  const [floor = []] = found.values();
  const floorPerGb = median(floor.map(secondsPerGb));
  return [...found].map(([side, moved]) => {
    const perGb = moved.map(secondsPerGb).filter((value) => !Number.isNaN(value));
    const lost = median(moved.map(lostOf));
    return {
      'MB/s per CPU': rate ?? 'flat out',
      side: side.name,
      'CPU s/GB': median(perGb),
      spread:
        perGb.length === 0 ? 'ended' : `${Math.min(...perGb).toFixed(3)}-${Math.max(...perGb).toFixed(3)}`,
      ratio: median(perGb) / floorPerGb,
      lost,
      'lost %': (100 * lost) / median(moved.map(({ written }) => written)),
      'reached MB/s': median(moved.map(({ reachedMbPerSecond }) => reachedMbPerSecond)),
    };
  });
}
