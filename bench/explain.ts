import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainSession } from '../src/analysis/explain/explain-session.ts';
import { openSession, type Session } from '../src/trace/session.ts';
import { plainGuest, plainHost } from '../test/simulator/session/options.ts';
import { simulateSession } from '../test/simulator/session/simulate.ts';
import { writeSession } from '../test/simulator/session/trace/session-files.ts';
import type { Benchmark } from './benchmark.ts';
import { median } from './measure/median.ts';
import { alternate } from './measure/rounds.ts';

/** How fast the waits of a simulated host and its guests are explained, compared with only reading the events. */
export const explain: Benchmark = {
  name: 'explain',
  on: ['native'],
  async run({ extent, say }) {
    const guests = ['web', 'db'].map((name) => ({ ...plainGuest, name, exitEveryNs: 1e5 }));
    const session = simulateSession({
      seed: 1,
      durationNs: extent.small ? 3e8 : 1e10,
      host: { ...plainHost, hogs: 2 },
      guests,
    });
    const { events } = session;
    say(`${events} events`);
    const dir = mkdtempSync(join(tmpdir(), 'bench-explain-'));
    try {
      const path = await writeSession(dir, session);
      const steps: readonly {
        readonly name: string;
        readonly run: (session: Session) => Promise<unknown>;
      }[] = [
        { name: 'read', run: readAll },
        { name: 'explain, the worst 10', run: (opened) => explainSession(opened) },
        { name: 'explain, the worst 10000', run: (opened) => explainSession(opened, { worst: 10_000 }) },
      ];
      const found = await alternate(steps, extent.rounds, async ({ name, run }) => {
        const opened = await openSession(path);
        const start = performance.now();
        await run(opened);
        const seconds = (performance.now() - start) / 1e3;
        await opened.close();
        say(`${name}: ${seconds.toFixed(3)} s`);
        return seconds;
      });
      return {
        name: 'explain native',
        title: `${events} events of a host with ${plainHost.cpus} CPUs and ${guests.length} guests`,
        columns: ['step', 'seconds', 'M events/s'],
        rows: steps.map((step) => {
          const seconds = median(found.get(step) ?? []);
          return { step: step.name, seconds, 'M events/s': events / seconds / 1e6 };
        }),
      };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function readAll(session: Session): Promise<number> {
  let sum = 0;
  for await (const batch of session.events()) for (const event of batch) sum += event.cpu;
  return sum;
}
