import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { convert } from '../../src/trace/convert/convert.ts';
import type { ShiftSample } from '../../src/trace/dat/time-shift.ts';
import { openTrace } from '../../src/trace/open.ts';
import { reportDifference, traceCmd, traceCmdSkip, traceHost } from '../report/compare.ts';
import { sampleMetadata, samplePages, writeRaws } from '../unit/trace/samples.ts';

const hostId = 0x1234n;
const guestId = 0x5678n;

/** The sample's first event, by its clock. */
let first = 0n;

/** Samples at these milliseconds after the first event, each with its offset in ns. */
function samples(
  ...list: readonly (readonly [ms: number, offset: number, scale?: number, bits?: number])[]
): ShiftSample[] {
  return list.map(([ms, offset, scale = 1, bits = 0]) => ({
    time: first + BigInt(ms) * 1_000_000n,
    offset: BigInt(offset),
    scale: BigInt(scale),
    fractionBits: BigInt(bits),
  }));
}

const shapes: Readonly<Record<string, () => { interpolates: boolean; cpus: ShiftSample[][] }>> = {
  'one offset': () => ({ interpolates: true, cpus: [samples([0, -1_500_000, 7]), samples([0, -1_500_000])] }),
  'a line': () => {
    const line = samples([0, 250_000], [2000, 350_000]);
    return { interpolates: true, cpus: [line, line] };
  },
  'a falling line': () => {
    const line = samples([500, 250_000_000_000], [1500, 249_999_950_000]);
    return { interpolates: true, cpus: [line, line] };
  },
  'several lines, each CPU its own': () => ({
    interpolates: true,
    cpus: [
      samples([0, 0], [300, 9000], [600, -5000], [900, 40_000]),
      samples([100, -7000], [400, 123], [500, 456]),
    ],
  }),
  steps: () => {
    const steps = samples([0, 1000], [300, 70_000], [600, 90_000], [900, 20_000]);
    return { interpolates: false, cpus: [steps, steps] };
  },
  'a scale': () => {
    const scaled = samples([0, 1000, 3_000_001, 21], [1000, 2000, 3_000_001, 21]);
    return { interpolates: true, cpus: [scaled, scaled] };
  },
  'a CPU without': () => ({ interpolates: true, cpus: [samples([0, 5_000_000])] }),
};

describe('a guest recorded with its host', { skip: traceCmdSkip(), timeout: 600_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-times-'));
  const host = join(dir, 'host.dat');
  const file = (shape: string): string => join(dir, `${shape.replaceAll(/\W/g, '-')}.dat`);
  after(() => rmSync(dir, { recursive: true }));

  before(async () => {
    const metadata = await sampleMetadata('A');
    const cpus = writeRaws(dir, samplePages('A'));
    const guests = [
      {
        name: 'web',
        traceId: guestId,
        vcpuTids: new Map([
          [0, 1111],
          [1, 1112],
        ]),
      },
    ];
    await convert({ cpus, metadata, out: host, traceId: hostId, guests });
    const trace = await openTrace(host);
    first = trace.span()!.first;
    await trace.close();
    for (const [shape, shift] of Object.entries(shapes)) {
      const timeShift = { peerId: hostId, ...shift() };
      await convert({
        cpus,
        metadata,
        out: file(shape),
        traceId: guestId,
        timeShift,
        version: shape === 'steps' ? 6 : 7,
      });
    }
  });

  for (const shape of Object.keys(shapes))
    it(`${shape}: has the times that trace-cmd prints`, async () => {
      for (const args of [
        ['-i', file(shape)],
        ['-t', '-i', file(shape)],
        ['-i', host, '-i', file(shape)],
      ])
        assert.equal(await reportDifference(traceCmd, traceHost, args), undefined);
      assert.equal(await reportDifference(traceCmd, traceHost, ['--raw-ts', '-i', file(shape)]), undefined);
    });

  it('has its own times with --raw-ts only', async () => {
    const span = async (path: string, hostTimes?: boolean) => {
      const trace = await openTrace(path, hostTimes === undefined ? {} : { hostTimes });
      try {
        return trace.span()!;
      } finally {
        await trace.close();
      }
    };
    const own = await span(host);
    assert.deepEqual(await span(file('one offset')), {
      first: own.first - 1_500_000n,
      last: own.last - 1_500_000n,
    });
    assert.deepEqual(await span(file('one offset'), false), own);
  });

  for (const shape of Object.keys(shapes))
    it(`${shape}: a range of times is that of the host's`, async () => {
      const trace = await openTrace(file(shape));
      try {
        const all: string[] = [];
        const { first: begin, last } = trace.span()!;
        const [from, to] = [begin + (last - begin) / 3n, begin + ((last - begin) * 2n) / 3n];
        let previous = 0n;
        for await (const batch of trace.events())
          for (const event of batch) {
            const { timestamp, cpu, name } = event;
            if (timestamp >= from && timestamp <= to) all.push(`${timestamp} ${cpu} ${name}`);
            assert.ok(timestamp >= previous || shape === 'steps' || shape.startsWith('several'));
            previous = timestamp;
          }
        const ranged: string[] = [];
        for await (const batch of trace.events({ from, to }))
          for (const { timestamp, cpu, name } of batch) ranged.push(`${timestamp} ${cpu} ${name}`);
        assert.ok(all.length > 1000, `${all.length} events`);
        assert.deepEqual(ranged, all);
      } finally {
        await trace.close();
      }
    });
});
