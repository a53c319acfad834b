import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Cause, CauseKind, Stretch, Wait } from '../../../../src/analysis/explain/result.ts';
import { DoubleBuffer } from '../../../../src/export/output/double-buffer.ts';
import { causeSlice, thiefName } from '../../../../src/export/perfetto/cause-slices.ts';
import { ExplanationTracks } from '../../../../src/export/perfetto/explanation-tracks.ts';
import { fieldsOf } from './proto-reader.ts';

const text = new TextDecoder();

function stretchOf(kind: CauseKind, beginNs: bigint, endNs: bigint, more: Partial<Cause> = {}): Stretch {
  return {
    kind,
    machine: 'host',
    task: null,
    tid: null,
    prio: null,
    number: null,
    name: null,
    cpu: 1,
    inferred: false,
    ...more,
    beginNs,
    endNs,
  };
}

function waitOf(dueNs: bigint, endNs: bigint, stretches: readonly Stretch[]): Wait {
  return {
    machine: 'web',
    task: 'nginx',
    tid: 812,
    prio: 120,
    cpu: 0,
    dueNs,
    endNs,
    lengthNs: Number(endNs - dueNs),
    kind: 'wakeup',
    isDue: true,
    isOver: true,
    causes: [],
    stretches,
  };
}

/** Waits in which a host task preempts the vCPU. */
function behindBackup(dueNs: bigint, endNs: bigint): Wait {
  return waitOf(dueNs, endNs, [stretchOf('preempted', dueNs, endNs, { task: 'backup', tid: 4411 })]);
}

/** What is written of waits: each track's name, and its slices as `begin NAME` and `end`, with their times. */
async function written(waits: readonly Wait[]): Promise<{ tracks: [string, string[]][]; cutWaits: number }> {
  const blocks: Uint8Array[] = [];
  const out = new DoubleBuffer({ write: async (bytes) => void blocks.push(bytes.slice()) });
  const tracks = new ExplanationTracks(out, 9);
  await tracks.waits(waits);
  await out.end();
  const found = new Map<string, [string, string[]]>();
  for (const [, packet] of fieldsOf(Buffer.concat(blocks))) {
    const fields = mapOf(packet)!;
    assert.equal(fields.get(10), 9n);
    const [descriptor, event] = [mapOf(fields.get(60)), mapOf(fields.get(11))];
    const [name] = [descriptor?.get(2), event?.get(23)].filter((each) => each instanceof Uint8Array);
    const words = text.decode(name);
    if (descriptor !== undefined) found.set(String(descriptor.get(1)), [words, []]);
    else {
      const [, slices] = found.get(String(event?.get(11)))!;
      slices.push(`${String(fields.get(8))} ${name === undefined ? 'end' : `begin ${words}`}`);
    }
  }
  return { tracks: [...found.values()], cutWaits: tracks.cutWaits };
}

/** The fields of a message; undefined if it is none. */
function mapOf(message: bigint | Uint8Array | undefined): Map<number, bigint | Uint8Array> | undefined {
  return message instanceof Uint8Array ? new Map(fieldsOf(message)) : undefined;
}

describe('the tracks of an explanation', () => {
  it('are one for each vCPU, task and thief', async () => {
    const { tracks, cutWaits } = await written([behindBackup(50n, 90n), behindBackup(10n, 40n)]);
    assert.equal(cutWaits, 0);
    assert.deepEqual(tracks, [
      ['waits and their causes', []],
      ['host', []],
      [
        'backup:4411 delays others',
        ['10 begin delays web nginx:812', '40 end', '50 begin delays web nginx:812', '90 end'],
      ],
      ['web', []],
      [
        'nginx:812 waits',
        [
          '10 begin waits for a CPU',
          '10 begin preempted by backup:4411',
          '40 end',
          '40 end',
          '50 begin waits for a CPU',
          '50 begin preempted by backup:4411',
          '90 end',
          '90 end',
        ],
      ],
    ]);
  });

  it('are more of one name if waits overlap, up to a limit', async () => {
    const { tracks, cutWaits } = await written([
      behindBackup(10n, 40n),
      behindBackup(30n, 50n),
      behindBackup(40n, 60n),
    ]);
    const own = tracks.filter(([name]) => name === 'nginx:812 waits').map(([, slices]) => slices);
    assert.deepEqual(
      own.map((slices) => slices.filter((slice) => slice.includes('waits'))),
      [['10 begin waits for a CPU', '40 begin waits for a CPU'], ['30 begin waits for a CPU']],
    );
    assert.equal(cutWaits, 0);
    const many = Array.from({ length: 70 }, (_, at) => behindBackup(BigInt(at), 100n));
    const capped = await written(many);
    assert.equal(capped.tracks.filter(([name]) => name === 'nginx:812 waits').length, 64);
    assert.equal(capped.cutWaits, 6);
  });

  it('have no times before 0', async () => {
    const { tracks } = await written([waitOf(-9n, 30n, [stretchOf('asleep', -9n, 30n)])]);
    assert.deepEqual(tracks.at(-1)?.[1], ['0 begin waits for a CPU', '0 begin asleep', '30 end', '30 end']);
  });

  it('do not hide that a wait has more causes', async () => {
    const { cutWaits } = await written([
      waitOf(0n, 30n, [stretchOf('asleep', 0n, 10n), stretchOf('unknown', 10n, 20n)]),
    ]);
    assert.equal(cutWaits, 1);
  });

  it('name what is known, and no thief if there is none', () => {
    const task = { task: 'backup', tid: 4411 };
    const irq = { number: 3, name: 'eth0' };
    const cases: [CauseKind, Partial<Cause>, string, string | undefined][] = [
      ['preempted', task, 'preempted by backup:4411', 'backup:4411'],
      ['preempted', { task: 'swapper', tid: 0 }, 'not allowed to run', undefined],
      ['preempted', { name: 'a task beyond the limit' }, 'preempted by unknown task', undefined],
      ['preempted', { task: '', tid: 5 }, 'preempted by <...>:5', '<...>:5'],
      ['woken-behind', task, 'woken, behind backup:4411', 'backup:4411'],
      ['woken-behind', { task: 'swapper', tid: 0 }, 'woken, CPU leaves idle', undefined],
      ['other-vcpu', { ...task, machine: 'db', number: 1 }, 'behind vCPU 1 of db, backup:4411', 'vCPU 1'],
      ['other-vcpu', { machine: 'db', number: 0 }, 'behind vCPU 0 of db, unknown task', 'vCPU 0'],
      [
        'other-vcpu',
        { machine: 'db', task: 'swapper', tid: 0, number: 2 },
        'behind vCPU 2 of db, idle task',
        'vCPU 2',
      ],
      ['guest-task', { ...task, machine: 'web' }, 'behind backup:4411', 'backup:4411'],
      ['host-irq', irq, 'host irq 3 eth0', 'irq 3 eth0'],
      ['guest-softirq', { number: 9, name: 'RCU', machine: 'web' }, 'guest softirq 9 RCU', 'softirq 9 RCU'],
      ['hypervisor', { number: 12, name: 'HLT' }, 'hypervisor, exit 12 HLT', 'hypervisor, exit 12 HLT'],
      ['hypervisor', { number: 99 }, 'hypervisor, exit 99', 'hypervisor, exit 99'],
      ['asleep', {}, 'asleep', undefined],
      ['paused', {}, 'guest paused', undefined],
      ['guest-kernel', { machine: 'web' }, 'guest kernel', undefined],
      ['unknown', { name: 'events were lost' }, 'unknown: events were lost', undefined],
    ];
    for (const [kind, more, name, thief] of cases) {
      const stretch = stretchOf(kind, 0n, 1n, more);
      assert.equal(causeSlice(stretch).name, name);
      assert.equal(thiefName(stretch), thief, name);
    }
  });
});
