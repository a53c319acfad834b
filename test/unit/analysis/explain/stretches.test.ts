import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { type ExplainOptions, explainSession } from '../../../../src/analysis/explain/explain-session.ts';
import type { Explanation, Stretch, Thief, VcpuStretch } from '../../../../src/analysis/explain/result.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { isLong } from '../../../set.ts';
import { anyFaults, anySession } from '../../../simulator/session/any-session.ts';
import { plainGuest, plainHost, type SessionOptions } from '../../../simulator/session/options.ts';
import { simulateSession } from '../../../simulator/session/simulate.ts';
import { writeSession } from '../../../simulator/session/trace/session-files.ts';
import { all, type Happened, played } from './made-scene.ts';

const numRuns = isLong ? 100 : 10;
const plainOptions: SessionOptions = { seed: 4, durationNs: 1e7, host: plainHost, guests: [plainGuest] };

interface Explained {
  readonly found: Explanation;
  /** Of each guest's CPU, by its name and number. */
  readonly vcpus: ReadonlyMap<string, VcpuStretch[]>;
}

async function explained(
  options: SessionOptions,
  times: Pick<ExplainOptions, 'from' | 'to'> = {},
): Promise<Explained> {
  const dir = mkdtempSync(join(tmpdir(), 'stretches-test-'));
  try {
    const session = await openSession(await writeSession(dir, simulateSession(options)));
    const vcpus = new Map<string, VcpuStretch[]>();
    let turns = 0;
    const found = await explainSession(session, {
      // few enough for all of their stretches
      worst: 30,
      ...times,
      stretches: true,
      onVcpuStretch: (stretch) => {
        const key = `${stretch.guest} ${stretch.vcpu}`;
        vcpus.set(key, [...(vcpus.get(key) ?? []), stretch]);
        return ++turns % 3 === 0 ? new Promise((resume) => void setImmediate(resume)) : undefined;
      },
    });
    await session.close();
    return { found, vcpus };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function lengthOf({ beginNs, endNs }: Stretch): number {
  return Number(endNs - beginNs);
}

/** Everything that names a cause. */
function nameOf(cause: Omit<Stretch, 'beginNs' | 'endNs'>): string {
  const { kind, machine, task, tid, prio, number, name, cpu, inferred } = cause;
  return JSON.stringify([kind, machine, task, tid, prio, number, name, cpu, inferred]);
}

describe('the stretches of a wait', () => {
  it('follow each other from its due time to its end, and sum up to its causes', async () => {
    await fc.assert(
      fc.asyncProperty(anySession(anyFaults), async (options) => {
        const { found } = await explained(options);
        for (const { dueNs, endNs, causes, stretches = [] } of found.waits) {
          const sums = new Map<string, number>();
          let at = dueNs;
          let last = '';
          for (const stretch of stretches) {
            const name = nameOf(stretch);
            assert.equal(stretch.beginNs, at);
            assert.ok(stretch.endNs > at);
            assert.notEqual(name, last, 'two that touch are one');
            sums.set(name, (sums.get(name) ?? 0) + lengthOf(stretch));
            [at, last] = [stretch.endNs, name];
          }
          assert.equal(at, endNs);
          assert.deepEqual(sums, new Map(causes.map((cause) => [nameOf(cause), cause.ns])));
        }
      }),
      { numRuns },
    );
  });

  it('share a limit: those that do not fit are left out', () => {
    const scene = played(
      { web: [100] },
      [
        [0, 'web 0', 7, ['switch', 7, 'R', 8]],
        [10, 'web 0', 8, ['switch', 8, 'R', 9]],
        [30, 'web 0', 9, ['switch', 9, 'R', 10]],
        [60, 'web 0', 10, ['switch', 10, 'R', 9]],
        [65, 'web 0', 9, ['switch', 9, 'S', 7]],
        [70, 'web 0', 7, ['switch', 7, 'S', 8]],
        [90, 'web 0', 8, ['other']],
      ],
      { choice: { ...all, stretches: 4, isWanted: ({ tid }) => tid < 9 }, hasHost: false },
    );
    const spans = scene.waits
      .worst()
      .map(({ tid, stretches }) => [tid, stretches.map(({ from, to }) => [from, to])]);
    assert.deepEqual(spans, [
      [
        7,
        [
          [0, 10],
          [10, 30],
          [30, 60],
          [60, 65],
        ],
      ],
      [8, []],
    ]);
    assert.deepEqual(
      scene.waits.worst().map(({ causes }) => causes.length),
      [3, 3],
    );
  });

  it('of a wait that is not among the worst any more make room', () => {
    const events: Happened[] = [];
    // waits of 10, 20 ... ns, one after the other
    let at = 0;
    for (let length = 10; length <= 100; length += 10) {
      events.push([at, 'web 0', 7, ['switch', 7, 'R', 8]], [at + length, 'web 0', 8, ['switch', 8, 'S', 7]]);
      at += 1000;
    }
    const choice = { ...all, worst: 2, stretches: 3, isWanted: ({ tid }: { tid: number }) => tid === 7 };
    const scene = played({ web: [100] }, [...events, [at, 'web 0', 7, ['other']]], {
      choice,
      hasHost: false,
    });
    assert.deepEqual(
      scene.waits.worst().map(({ lengthNs, stretches }) => [lengthNs, stretches.length]),
      [
        [100, 1],
        [90, 1],
      ],
    );
  });
});

const thefts = [
  'paused',
  'preempted',
  'woken-behind',
  'other-vcpu',
  'host-irq',
  'host-softirq',
  'hypervisor',
];

describe('the stretches of vCPUs', () => {
  it('are in order, and sum up to what thieves took', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(anySession(), async (options) => {
        const { found, vcpus } = await explained(options);
        const sums = new Map<string, Pick<Thief, 'ns' | 'count' | 'worstNs'>>();
        for (const stretches of vcpus.values()) {
          const joined: VcpuStretch[] = [];
          let end = 0n;
          let before = '';
          for (const stretch of stretches) {
            assert.ok(stretch.beginNs >= end && stretch.endNs > stretch.beginNs);
            const touches = stretch.beginNs === end;
            if (touches) assert.notEqual(nameOf(stretch), before, 'two that touch are one');
            [end, before] = [stretch.endNs, nameOf(stretch)];
            const last = joined.at(-1);
            // to the sum of a thief it does not matter on which CPU it was
            if (touches && last !== undefined && thiefOf(last) === thiefOf(stretch))
              joined.splice(-1, 1, { ...last, endNs: stretch.endNs });
            else joined.push(stretch);
          }
          for (const stretch of joined) {
            if (!thefts.includes(stretch.kind)) continue;
            const length = lengthOf(stretch);
            const sum = sums.get(thiefOf(stretch)) ?? { ns: 0, count: 0, worstNs: 0 };
            sums.set(thiefOf(stretch), {
              ns: sum.ns + length,
              count: sum.count + 1,
              worstNs: Math.max(sum.worstNs, length),
            });
          }
        }
        const thieves = found.thieves.map((thief): [string, object] => {
          const { ns, count, worstNs } = thief;
          return [thiefOf(thief), { ns, count, worstNs }];
        });
        assert.deepEqual(sums, new Map(thieves));
        count += sums.size;
      }),
      { numRuns },
    );
    assert.ok(count > numRuns, `${count} thieves`);
  });
});

it('the stretches of vCPUs are in the time that is asked for', async () => {
  const whole = (await explained(plainOptions)).vcpus.get('web 0')!;
  const long = [...whole.keys()].filter((at) => at > 0 && lengthOf(whole[at]!) > 1000);
  const [first = 0, last = 0] = [long[0], long[9]];
  const [from, to] = [whole[first]!.beginNs + 100n, whole[last]!.endNs - 100n];
  const { vcpus } = await explained(plainOptions, { from, to });
  const found = vcpus.get('web 0')!;
  assert.equal(found[0]!.beginNs, from);
  // nothing after `to` is read, so the last one ends at the last event before
  assert.ok(found.at(-1)!.endNs <= to);
  assert.deepEqual(found.slice(1, -1), whole.slice(first + 1, last));
});

function thiefOf({ guest, kind, machine, task, tid, prio, number, name }: Thief | VcpuStretch): string {
  return JSON.stringify([guest, kind, machine, task, tid, prio, number, name]);
}
