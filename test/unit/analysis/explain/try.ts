import * as fc from 'fast-check';
import { anyFaults, anySession } from '../../../simulator/session/any-session.ts';
import { compared } from './against-simulator.ts';
const runs = Number(process.env.RUNS ?? 5);
const seed = Number(process.env.SEED ?? 1);
const faults = process.env.FAULTS ? anyFaults : undefined;
let bad = 0;
for (const options of fc.sample(anySession(faults), { numRuns: runs, seed })) {
  const t0 = process.cpuUsage().user;
  const { session, found, wrong, waits, ns, unknownNs } = await compared(options);
  console.log(`${wrong.length} wrong of ${waits} waits, ${session.truth.waits.length} true, ${ns} ns, unknown ${unknownNs}, ${session.events} events, cpu ${(process.cpuUsage().user - t0) / 1000} ms, bounds ${Object.values(found.clocks).map((c) => `${c.boundNs} ${c.violations}/${c.samples}`)}`);
  if (wrong.length === 0) continue;
  if (bad++ > 2) continue;
  console.log(JSON.stringify(options));
  console.log(wrong.slice(0, 4).join('\n'));
  const m = / of (\w+) (\d+) on .* from (\d+) to (\d+)/.exec(wrong[0]!);
  if (m) {
    const [, machine, tid, due, end] = m;
    const true_ = session.truth.waits.find((w) => w.machine === machine && w.tid === Number(tid) && w.due === Number(due) && w.end === Number(end));
    console.log('  TRUE', JSON.stringify(true_).replaceAll(due!.slice(0, 6), '~'));
    for (const w of found.waits.filter((w) => w.machine === machine && w.tid === Number(tid) && Number(w.endNs) >= Number(due) - 1e6 && Number(w.dueNs) <= Number(end) + 1e6))
      console.log('  FOUND', w.kind, w.dueNs, w.endNs, w.isDue, JSON.stringify(w.causes.map(({ kind, machine, tid, number, ns, name, inferred }) => [kind, machine, tid ?? number ?? name, ns, inferred])));
  }
}
