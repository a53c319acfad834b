import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Durations } from '../../../src/analysis/result.ts';
import { summarise } from '../../../src/analysis/summary.ts';
import { openTrace } from '../../../src/trace/open.ts';
import { fixtureText } from '../trace/fixtures.ts';
import { recordingDir } from '../trace/samples.ts';

interface Line {
  readonly cpu: number;
  readonly ns: number;
  readonly pid: number;
  readonly event: string;
  readonly text: string;
  /** Events lost just before it. */
  readonly lost: number;
}

/** What trace-cmd report printed of A, with the times and losses of records.tsv, which has nanoseconds. */
function linesOfA(): Line[] {
  const stamps: { ns: number; lost: number }[][] = [[], []];
  let lost = 0;
  for (const row of fixtureText('A/records.tsv.gz').trimEnd().split('\n')) {
    const [cpu, , kind, number] = row.split('\t');
    if (kind === 'LOST') lost = Number(number);
    if (kind !== 'EV') continue;
    stamps[Number(cpu)]!.push({ ns: Number(number), lost });
    lost = 0;
  }
  const lines: Line[] = [];
  for (const row of fixtureText('A/report-trace-cmd-3.1.6.txt.gz').split('\n')) {
    const [, pid, cpu, event, text] = /^ *\S.*-(\d+) +\[(\d+)\] +\d+\.\d{6}: (\w+): *(.*)$/.exec(row) ?? [];
    if (pid === undefined) continue;
    const stamp = stamps[Number(cpu)]!.shift()!;
    lines.push({ cpu: Number(cpu), pid: Number(pid), event: event!, text: text!, ...stamp });
  }
  assert.deepEqual(stamps, [[], []]);
  return lines;
}

const lines = linesOfA();
const endNs = Math.max(...lines.map(({ ns }) => ns));

interface Switch {
  readonly at: number;
  readonly prev: number;
  readonly state: string;
  readonly next: number;
}

function switchOf(line: Line, at: number): Switch {
  const [, prev, state, next] = /:(\d+) \[\d+\] (\S+) ==> .*:(\d+) \[\d+\]$/.exec(line.text)!;
  return { at, prev: Number(prev), state: state!, next: Number(next) };
}

/** Where the running task is known from an event alone: a CPU's first one, and the first one after a loss. */
const restarts = lines
  .map((line, at) => ({ line, at }))
  .filter(({ line, at }) => line.lost > 0 || lines.slice(0, at).every(({ cpu }) => cpu !== line.cpu));

/** Runs on a CPU: from one switch, or restart, to the next, unless events were lost in between. */
function runsOf(cpu: number): { pid: number; ns: number }[] {
  const runs: { pid: number; ns: number }[] = [];
  let begin: Pick<Line, 'pid' | 'ns'> | undefined;
  for (const [at, line] of lines.entries()) {
    if (line.cpu !== cpu) continue;
    if (restarts.some((restart) => restart.at === at)) begin = line;
    if (line.event !== 'sched_switch') continue;
    const { prev, next } = switchOf(line, at);
    // sched_switch was enabled after other events, so what ran at the first of them may have ended before it
    const isKnown = begin?.pid === prev;
    if (isKnown) runs.push({ pid: prev, ns: line.ns - begin!.ns });
    else assert.ok(restarts.some(({ line }) => line === begin));
    begin = { pid: next, ns: line.ns };
  }
  runs.push({ pid: begin!.pid, ns: endNs - begin!.ns });
  return runs;
}

/** For each switch to a task, back to its last wakeup while it was off the CPU, if nothing was lost since. */
function latencies(): { pid: number; cpu: number; ns: number; at: number; after: number }[] {
  const found: { pid: number; cpu: number; ns: number; at: number; after: number }[] = [];
  for (const [at, line] of lines.entries()) {
    if (line.event !== 'sched_switch') continue;
    const { next, prev } = switchOf(line, at);
    if (next === 0) continue;
    const since: Line[] = [];
    for (let back = at - 1; back >= 0; back--) {
      const before = lines[back]!;
      if (before.event === 'sched_switch' && switchOf(before, back).prev === next) break;
      if (/^sched_(waking|wakeup|wakeup_new)$/.test(before.event) && wokenBy(before) === next)
        since.push(before);
      if (restarts.some((restart) => restart.at === back) && before.pid === next) break;
    }
    const woken = since.find(({ event }) => event === 'sched_waking') ?? since[0];
    if (woken === undefined) continue;
    const isAcrossLoss = lines.some(({ lost, ns }) => lost > 0 && ns > woken.ns && ns <= line.ns);
    if (!isAcrossLoss)
      found.push({ pid: next, cpu: line.cpu, ns: line.ns - woken.ns, at: line.ns, after: prev });
  }
  return found;
}

function wokenBy({ event, text }: Line): number {
  return Number((event === 'sched_waking' ? / pid=(\d+) / : /:(\d+) \[/).exec(text)![1]);
}

/** Own times of softirqs and irqs: all of the nested ones' nanoseconds taken away. */
function interrupts(): { what: string; ns: number }[] {
  const found: { what: string; ns: number }[] = [];
  for (const cpu of [0, 1]) {
    const open: { what: string; from: number; nested: number }[] = [];
    for (const line of lines.filter((each) => each.cpu === cpu)) {
      if (line.lost > 0) open.length = 0;
      const [, kind, way] = /^(irq_handler|softirq)_(entry|exit)$/.exec(line.event) ?? [];
      if (way === 'entry') {
        const what =
          kind === 'softirq'
            ? line.text.replace(/^vec=(\d+) \[action=(\w+)\]$/, 'softirq $1 $2')
            : line.text.replace(/^irq=(\d+) name=/, 'irq $1 ');
        open.push({ what, from: line.ns, nested: 0 });
      } else if (way === 'exit' && open.length > 0) {
        const { what, from, nested } = open.pop()!;
        found.push({ what, ns: line.ns - from - nested });
        const outer = open.at(-1);
        if (outer !== undefined) outer.nested += line.ns - from;
      }
    }
  }
  return found;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function assertDurations(found: Durations, values: readonly number[], what: string): void {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (part: number): number | null =>
    sorted[Math.max(1, Math.ceil(part * sorted.length)) - 1] ?? null;
  assert.equal(found.count, values.length, what);
  assert.equal(found.worstNs, sorted.at(-1) ?? null, what);
  for (const [got, expected] of [
    [found.p50Ns, rank(0.5)],
    [found.p99Ns, rank(0.99)],
  ] as const) {
    if (found.exact) assert.equal(got, expected, what);
    else assert.ok(Math.abs(got! - expected!) <= expected! / 100, what);
  }
}

describe('summarise counts in sample A what its report shows', () => {
  it('run times, shares, idle times and switches', async (test) => {
    const trace = await openTrace(recordingDir(test));
    test.after(() => trace.close());
    const [buffer] = (await summarise(trace)).buffers;
    const { cpus, tasks, idleNs, events, lost, notCounted, spanNs, first, eventTypes } = buffer!;
    assert.deepEqual([events, lost, spanNs], [lines.length, 35_899n, endNs - lines[0]!.ns]);
    assert.equal(first, BigInt(lines[0]!.ns));
    const all = [0, 1].map(runsOf);
    for (const cpu of cpus) {
      const runs = all[cpu.cpu]!;
      const idle = sum(runs.filter(({ pid }) => pid === 0).map(({ ns }) => ns));
      const known = sum(runs.map(({ ns }) => ns));
      assert.deepEqual([cpu.idleNs, cpu.busyNs, cpu.idleShare], [idle, known - idle, idle / known]);
      assert.equal(cpu.lost, cpu.cpu === 0 ? 35_899n : 0n);
    }
    const known = sum(all.flat().map(({ ns }) => ns));
    const switches = lines.flatMap((line, at) => (line.event === 'sched_switch' ? [switchOf(line, at)] : []));
    const pids = new Set([...all.flat().map(({ pid }) => pid), ...switches.map(({ next }) => next)]);
    pids.delete(0);
    assert.deepEqual(new Set(tasks.map(({ pid }) => pid)), pids);
    for (const { pid, runNs, share, voluntary, involuntary } of tasks) {
      const runs = sum(all.flat().map((run) => (run.pid === pid ? run.ns : 0)));
      const outs = switches.filter(({ prev }) => prev === pid);
      const forced = outs.filter(({ state }) => state.startsWith('R')).length;
      assert.deepEqual(
        [runNs, share, voluntary, involuntary],
        [runs, runs / known, outs.length - forced, forced],
        String(pid),
      );
    }
    assert.ok(switches.some(({ prev, state }) => prev !== 0 && state === 'R'));
    assert.equal(sum(tasks.map(({ runNs }) => runNs ?? 0)) + (idleNs ?? 0), known);
    assert.deepEqual(notCounted, {
      ...notCounted,
      slicesAcrossLoss: 1,
      slicesUnmatched: 0,
      malformedEvents: 0,
    });
    for (const { name, count } of eventTypes) {
      const plain = name.replace(/^.*:/, '');
      assert.equal(count, lines.filter(({ event }) => event === plain).length, name);
    }
  });

  it('wakeup latencies, and where the worst ones are', async (test) => {
    const trace = await openTrace(recordingDir(test));
    test.after(() => trace.close());
    const [buffer] = (await summarise(trace)).buffers;
    const { cpus, tasks, wakeups, wakeupHistogram } = buffer!;
    const expected = latencies();
    assert.ok(expected.length > 300);
    assertDurations(
      wakeups!,
      expected.map(({ ns }) => ns),
      'all',
    );
    assert.equal(sum(wakeupHistogram.map(({ count }) => count)), expected.length);
    for (const { cpu, wakeups } of cpus) {
      const ours = expected.filter((one) => one.cpu === cpu);
      assertDurations(
        wakeups!,
        ours.map(({ ns }) => ns),
        `CPU ${cpu}`,
      );
    }
    for (const { pid, wakeups, worstWakeup } of tasks) {
      const ours = expected.filter((one) => one.pid === pid);
      assertDurations(
        wakeups!,
        ours.map(({ ns }) => ns),
        `task ${pid}`,
      );
      const worst = ours.find(({ ns }) => ns === wakeups!.worstNs);
      assert.deepEqual(
        worstWakeup && [worstWakeup.latencyNs, worstWakeup.at, worstWakeup.cpu, worstWakeup.afterPid],
        worst === undefined ? null : [worst.ns, BigInt(worst.at), worst.cpu, worst.after],
      );
    }
  });

  it('interrupts, without what is nested in them', async (test) => {
    const trace = await openTrace(recordingDir(test));
    test.after(() => trace.close());
    const [buffer] = (await summarise(trace)).buffers;
    const { irqs, softirqs } = buffer!;
    const expected = interrupts();
    const found = [
      ...irqs.map((row) => ({ what: `irq ${row.number} ${row.name}`, ...row })),
      ...softirqs.map((row) => ({ what: `softirq ${row.number} ${row.name}`, ...row })),
    ];
    assert.deepEqual(new Set(found.map(({ what }) => what)), new Set(expected.map(({ what }) => what)));
    for (const { what, totalNs, own } of found) {
      const ours = expected.filter((one) => one.what === what).map(({ ns }) => ns);
      assert.equal(totalNs, sum(ours), what);
      assertDurations(own, ours, what);
    }
  });
});
