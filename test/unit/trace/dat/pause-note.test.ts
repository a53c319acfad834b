import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { convert } from '../../../../src/trace/convert/convert.ts';
import { pauseNote, type RecordedPause, withoutPauses } from '../../../../src/trace/dat/pause-note.ts';
import { readInfo } from '../../../../src/trace/info.ts';
import { sampleMetadata, samplePages, scratchDir, writeRaws } from '../samples.ts';

const pauses: RecordedPause[] = [
  { hostFrom: '18446744073709551615', pausedFrom: '1005', pausedTo: '2000', hostTo: '2010' },
  { hostFrom: '3000', pausedFrom: null, pausedTo: null, hostTo: '4000' },
  { hostFrom: '5000', pausedFrom: '5001', pausedTo: null, hostTo: null },
];

describe('the note of the pauses of a guest', () => {
  it('is read back, after any other text', () => {
    for (const writer of ['', '3.1.6 (not-a-git-repo)', 'virtio-trace 1 (without trace_marker)'])
      assert.deepEqual(withoutPauses(`${writer}${pauseNote(pauses)}`), { writer, pauses });
    assert.equal(pauseNote([]), '');
    const [first] = pauses;
    const many = Array.from({ length: 1000 }, () => first!);
    assert.deepEqual(withoutPauses(pauseNote(many)).pauses, many);
    assert.equal(pauseNote([...many, first!]), pauseNote(many));
  });

  it('is not seen in another text', () => {
    const note = pauseNote(pauses);
    for (const writer of [
      '',
      'a (paused by the host at',
      note.slice(0, -1),
      `${note}x`,
      note.replace('3000', 'x'),
      note.replace('3000/', '3000'),
      note.replace('3000', '?'),
      ` (paused by the host at ${'1'.repeat(200_000)})`,
    ])
      assert.deepEqual(withoutPauses(writer), { writer });
  });

  it('is in a file, next to those of other things', async (test) => {
    const dir = scratchDir(test);
    const [cpus, metadata] = [writeRaws(dir, samplePages('A')), await sampleMetadata('A')];
    const quality = { boundNs: 9, medianBoundNs: 8, methods: ['ping'], samples: 7, violations: 6 };
    const sample = { time: 1n, offset: 2n, scale: 1n, fractionBits: 0n };
    const timeShift = { peerId: 3n, interpolates: true, cpus: [[sample], [sample]], quality };
    for (const version of [6, 7] as const) {
      const out = join(dir, `${version}.dat`);
      await convert({ cpus, metadata, out, version, pauses, timeShift, unseen: ['trace_marker'] });
      const info = await readInfo(out);
      assert.deepEqual(
        [info.pauses, info.timeShift?.quality, info.unseen],
        [pauses, quality, ['trace_marker']],
      );
      assert.match(info.writer, /^virtio-trace \S+$/);
    }
  });
});
