import { Alignment } from '../src/clock/align.ts';
import { alignRecordings } from '../src/clock/align-recordings.ts';
import { MapCursor } from '../src/clock/map/map-cursor.ts';
import { OffStretches, ThreadTimes } from '../src/clock/exclusion/off-stretches.ts';
import { Exclusion } from '../src/clock/exclusion/pairs.ts';
import { simulate } from '../test/simulator/machine.ts';
import { recordings } from '../test/simulator/recordings.ts';
import type { Cleanups } from '../test/unit/trace/samples.ts';
import type { Benchmark, Extent } from './benchmark.ts';
import { median } from './measure/median.ts';
import { alternate } from './measure/rounds.ts';
import type { Table } from './report/table.ts';

/** How fast the clocks of a simulated guest are aligned: step by step, and all of it from recordings. */
export const clock: Benchmark = {
  name: 'clock',
  on: ['native'],
  async run({ extent, say }) {
    const cleanups: (() => void)[] = [];
    try {
      return await measured(extent, say, { after: (cleanup) => cleanups.push(cleanup) });
    } finally {
      for (const cleanup of cleanups) cleanup();
    }
  },
};

async function measured(extent: Extent, say: (text: string) => void, cleanups: Cleanups): Promise<Table> {
  const machine = simulate({
    seed: 1,
    durationNs: extent.small ? 1e9 : 30e9,
    hostCpus: 2,
    vcpus: 2,
    ratePpm: 50,
    wanderPpm: 0,
    faults: [],
    onNs: 2e5,
    offNs: 2e5,
    betweenEventsNs: 2e4,
    entryNs: 2e4,
    missing: 0.1,
    hidden: 0,
    loss: 0,
    pingEveryNs: 1e9,
    pingRounds: 10,
    pingNs: 5e5,
  });
  const { pings, tids, clock } = machine;
  const { hostOrigin, guestOrigin } = clock;
  const alignment = Alignment.of({ pings })!;
  const host = machine.switches.map((each) => ({ ...each, time: Math.floor(each.time) }));
  const guest = machine.events.map(({ vcpu, guest }) => ({ vcpu, time: Number(guest - guestOrigin) }));

  const offStretches = (): OffStretches[] => {
    const vcpus = tids.map(() => new OffStretches());
    const times = new ThreadTimes(new Map(tids.map((tid, vcpu) => [tid, vcpus[vcpu]!])));
    for (const { cpu, time, prev, next, lost } of host) {
      times.event(cpu, time, prev, lost);
      times.switched(time, prev, next);
    }
    return vcpus;
  };
  const vcpus = offStretches();
  const taken = (): Exclusion => {
    const exclusion = new Exclusion(alignment.map, vcpus, { hostOrigin, guestOrigin });
    for (const { vcpu, time } of guest) exclusion.add(vcpu, time);
    return exclusion;
  };
  const exclusion = taken();
  const map = alignment.refined(exclusion);
  const cursor = new MapCursor(map, guestOrigin, hostOrigin);
  const recorded = await recordings(cleanups, machine);

  const steps: readonly { readonly name: string; readonly events: number; readonly run: () => unknown }[] = [
    { name: "the host's switches", events: host.length, run: offStretches },
    { name: "the guest's events", events: guest.length, run: taken },
    { name: 'all pings to a map', events: guest.length, run: () => Alignment.of({ pings }) },
    { name: 'refined by exclusion', events: guest.length, run: () => alignment.refined(exclusion) },
    {
      name: 'times converted',
      events: guest.length,
      run: () => {
        for (const { time } of guest) cursor.seek(time);
      },
    },
    {
      name: 'all of it, from recordings',
      events: guest.length + host.length,
      run: () => alignRecordings(recorded.host, [recorded.guest]),
    },
  ];
  const found = await alternate(steps, extent.rounds, async ({ name, run }) => {
    const start = performance.now();
    await run();
    const seconds = (performance.now() - start) / 1e3;
    say(`${name}: ${seconds.toFixed(3)} s`);
    return seconds;
  });
  return {
    name: 'clock native',
    title: `${guest.length} guest events, ${host.length} switches, bound ${Math.round(map.pieces[0]!.boundNs / 1e3)} us at worst`,
    columns: ['step', 'seconds', 'M events/s'],
    rows: steps.map((step) => {
      const seconds = median(found.get(step) ?? []);
      return { step: step.name, seconds, 'M events/s': step.events / seconds / 1e6 };
    }),
  };
}
