import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTimeline } from '../src/analysis/timeline/write-timeline.ts';
import { openSession } from '../src/trace/session.ts';
import { plainGuest, plainHost } from '../test/simulator/session/options.ts';
import { simulateSession } from '../test/simulator/session/simulate.ts';
import { writeSession } from '../test/simulator/session/trace/session-files.ts';
import type { Benchmark } from './benchmark.ts';
import { median } from './measure/median.ts';
import { alternate } from './measure/rounds.ts';

/** How fast the page's timeline of a host and two guests is written. */
export const timeline: Benchmark = {
  name: 'timeline',
  on: ['native'],
  async run({ extent, say }) {
    const guests = ['web', 'db'].map((name) => ({ ...plainGuest, name, exitEveryNs: 5e4 }));
    const session = simulateSession({
      seed: 1,
      durationNs: extent.small ? 3e8 : 2.2e10,
      host: { ...plainHost, hogs: 2 },
      guests,
    });
    const { events } = session;
    say(`${events} events`);
    const dir = mkdtempSync(join(tmpdir(), 'bench-timeline-'));
    try {
      const path = await writeSession(dir, session);
      const step = { name: 'timeline' };
      const found = await alternate([step], extent.rounds, async ({ name }) => {
        const opened = await openSession(path);
        const out = mkdtempSync(join(dir, 'out-'));
        const start = performance.now();
        await writeTimeline(opened, out);
        const seconds = (performance.now() - start) / 1e3;
        await opened.close();
        rmSync(out, { recursive: true });
        say(`${name}: ${seconds.toFixed(3)} s`);
        return seconds;
      });
      const seconds = median(found.get(step) ?? []);
      return {
        name: 'timeline native',
        title: `${events} events of a host with ${plainHost.cpus} CPUs and ${guests.length} guests`,
        columns: ['step', 'seconds', 'M events/s'],
        rows: [{ step: step.name, seconds, 'M events/s': events / seconds / 1e6 }],
      };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};
