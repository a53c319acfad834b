import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { SliceKind } from '../../../../src/analysis/timeline/slice-kinds.ts';
import type { TimelineIndex, TimelineRow } from '../../../../src/analysis/timeline/timeline-index.ts';
import { writeTimeline } from '../../../../src/analysis/timeline/write-timeline.ts';
import { columnsOf } from '../../../../src/serve/routes/timeline-columns.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { type Slices, slicesOf } from '../../../../src/page/data/columns.ts';
import { plainGuest, plainHost, type SessionOptions } from '../../../simulator/session/options.ts';
import { type SimulatedSession, simulateSession } from '../../../simulator/session/simulate.ts';
import { writeSession } from '../../../simulator/session/trace/session-files.ts';
import type { VcpuState } from '../../../simulator/session/truth.ts';
import { scratchDir } from '../../trace/samples.ts';

const options: SessionOptions = {
  seed: 7,
  durationNs: 5e7,
  host: { ...plainHost, hogs: 2 },
  guests: [
    { ...plainGuest, pauses: [{ at: 2e7, ns: 5e6 }] },
    { ...plainGuest, name: 'db', ratePpm: -150 },
  ],
};

interface Made {
  readonly session: SimulatedSession;
  readonly index: TimelineIndex;
  readonly rowOf: (machine: string, cpu: number, kind: TimelineRow['kind']) => TimelineRow;
  readonly slicesAt: (row: TimelineRow, level: number, from?: number, to?: number) => Promise<Slices>;
}

async function made(test: TestContext, given: SessionOptions): Promise<Made> {
  const session = simulateSession(given);
  const opened = await openSession(await writeSession(scratchDir(test), session));
  const dir = scratchDir(test);
  try {
    const index = await writeTimeline(opened, dir);
    return {
      session,
      index,
      rowOf: (machine, cpu, kind) => {
        const row = index.rows.find(
          (each) => each.machine === machine && each.cpu === cpu && each.kind === kind,
        );
        assert.ok(row, `${machine} ${kind} ${cpu}`);
        return row;
      },
      slicesAt: async ({ id }, level, from = 0, to = Infinity) => {
        return slicesOf(new Uint8Array(await columnsOf(dir, id, level, from, to)).buffer);
      },
    };
  } finally {
    await opened.close();
  }
}

/** Kind and name of the slice at a time, counted from the timeline's start. */
function shownAt({ kinds, strings }: TimelineIndex, slices: Slices, time: number): string {
  const at = slices.start.findLastIndex((start) => start <= time);
  if (at < 0 || slices.start[at]! + slices.dur[at]! <= time) return 'nothing';
  return `${kinds[slices.kind[at]!]} ${strings[slices.name[at]!]}`;
}

const kindOf: Readonly<Record<VcpuState, SliceKind>> = {
  guest: 'running',
  hypervisor: 'hypervisor',
  'host-irq': 'irq',
  'host-softirq': 'softirq',
  preempted: 'preempted',
  woken: 'waking',
  asleep: 'halted',
  paused: 'paused',
};

describe('writeTimeline', () => {
  it('shows what each CPU of the host did, to the nanosecond', async (test) => {
    const { session, index, rowOf, slicesAt } = await made(test, options);
    const start = Number(index.startNs);
    let compared = 0;
    for (const { cpu, spans, knownFrom } of session.truth.hostCpus) {
      const slices = await slicesAt(rowOf('host', cpu, 'cpu'), 0);
      const end = slices.start.at(-1)! + slices.dur.at(-1)!;
      for (const { from, to, tid, comm, irq, softirq } of spans) {
        if (from < (knownFrom ?? Infinity) || to - start > end) continue;
        const handler = irq ?? softirq;
        const task = tid === 0 ? 'idle idle' : `running ${comm}:${tid}`;
        const wanted =
          handler === undefined
            ? task
            : `${irq === undefined ? 'softirq' : 'irq'} ${handler.number} ${handler.name}`;
        for (const time of [from, to - 1]) assert.equal(shownAt(index, slices, time - start), wanted);
        compared++;
      }
    }
    assert.ok(compared > 1000, `${compared}`);
  });

  it('shows what the host did with each vCPU', async (test) => {
    const { session, index, rowOf, slicesAt } = await made(test, options);
    const start = Number(index.startNs);
    const seen = new Set<string>();
    for (const { machine, cpu, spans } of session.truth.vcpus) {
      const slices = await slicesAt(rowOf(machine, cpu, 'vcpu'), 0);
      const [first, end] = [slices.start[0]!, slices.start.at(-1)! + slices.dur.at(-1)!];
      for (const { from, to, state, cpu: hostCpu } of spans) {
        const middle = (from + to) / 2 - start;
        const shown = shownAt(index, slices, middle);
        // before the first switch nobody knows
        if (middle < first || middle > end || shown.startsWith('lost')) continue;
        // behind another vCPU: whether it was woken or preempted does not matter
        const wanted = / vCPU \d/.test(shown) && state === 'woken' ? 'preempted' : kindOf[state];
        assert.equal(shown.split(' ')[0], wanted, `${machine} ${cpu} at ${middle}`);
        if (state === 'guest') assert.equal(shown, `running on host CPU ${hostCpu}`);
        seen.add(state);
      }
    }
    assert.deepEqual([...seen].sort(), Object.keys(kindOf).sort());
  });

  it('sums up short slices without losing time, work or the name of the longest', async (test) => {
    const { index, slicesAt } = await made(test, { ...options, durationNs: 6e8 });
    const last = index.levels.length - 1;
    assert.ok(last >= 2);
    const all = [0, 0];
    for (const row of index.rows) {
      const fine = await slicesAt(row, 0);
      const coarse = await slicesAt(row, last);
      const { widthNs } = index.levels[last]!;
      all[0]! += fine.count;
      all[1]! += coarse.count;
      const busy = (slices: Slices): number =>
        slices.start.reduce((sum, _, at) => sum + (slices.dur[at]! * slices.busy[at]!) / 255, 0);
      assert.ok(Math.abs(busy(fine) - busy(coarse)) < 0.01 * index.spanNs);
      for (let at = 0; at < coarse.count; at++) {
        const [from, to] = [coarse.start[at]!, coarse.start[at]! + coarse.dur[at]!];
        if (at > 0) assert.ok(from >= coarse.start[at - 1]! + coarse.dur[at - 1]!, 'no overlap');
        if (index.kinds[coarse.kind[at]!] !== 'mixed' || at % 41 !== 0) continue;
        assert.ok(Math.floor(from / widthNs) * widthNs + 2 * widthNs > to, 'within a bucket');
        const inside: number[] = [];
        for (let each = 0; each < fine.count; each++)
          if (fine.start[each]! >= from && fine.start[each]! + fine.dur[each]! <= to) inside.push(each);
        const works = inside.filter((each) => !['idle', 'halted'].includes(index.kinds[fine.kind[each]!]!));
        const named = works.length > 0 ? works : inside;
        const longest = Math.max(...named.map((each) => fine.dur[each]!));
        const names = named.filter((each) => fine.dur[each] === longest).map((each) => fine.name[each]);
        assert.ok(names.includes(coarse.name[at]), `${row.label} at ${from}`);
      }
    }
    assert.ok(all[1]! < all[0]! / 2, `${all[1]} of ${all[0]}`);
  });

  it('marks where events were lost, on every level', async (test) => {
    const faults = { hostLoss: 1e-2, lossLength: 2 };
    const { session, index, rowOf, slicesAt } = await made(test, { ...options, durationNs: 2e8, faults });
    const start = Number(index.startNs);
    const losses = session.truth.lost.filter(
      ({ machine, from, to }) => machine === 'host' && from < to && to < session.truth.to,
    );
    assert.ok(losses.length > 3);
    for (const { cpu, from, to } of losses) {
      const row = rowOf('host', cpu, 'cpu');
      assert.match(shownAt(index, await slicesAt(row, 0), (from + to) / 2 - start), /^lost/);
      for (let level = 1; level < index.levels.length; level++) {
        const slices = await slicesAt(row, level, from - start, to - start);
        const lost = slices.start.findIndex(
          (begin, at) =>
            index.kinds[slices.kind[at]!] === 'lost' &&
            begin < to - start &&
            begin + slices.dur[at]! > from - start,
        );
        assert.ok(lost >= 0, `level ${level}`);
      }
    }
  });

  it('reads only the chunks of the asked time', async (test) => {
    const { index, slicesAt } = await made(test, { ...options, durationNs: 8e8 });
    const row = index.rows.toSorted((a, b) => b.slices[0]! - a.slices[0]!)[0]!;
    const all = await slicesAt(row, 0);
    const middle = all.start[Math.floor(all.count / 2)]!;
    const some = await slicesAt(row, 0, middle, middle + 1);
    assert.ok(some.count < all.count / 1.5, `${some.count} of ${all.count}`);
    assert.equal(shownAt(index, some, middle), shownAt(index, all, middle));
    assert.equal((await slicesAt(row, 0, index.spanNs * 2, Infinity)).count, 0);
  });
});
