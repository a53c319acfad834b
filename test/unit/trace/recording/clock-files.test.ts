import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Failure } from '../../../../src/base/failure.ts';
import {
  alignmentFile,
  formatAlignment,
  formatPing,
  pingsFile,
  readAlignment,
  readPings,
  type RecordedAlignment,
  timeShiftOf,
} from '../../../../src/trace/recording/clock-files.ts';
import { scratchDir } from '../samples.ts';

const alignment: RecordedAlignment = {
  peerId: 2n ** 64n - 1n,
  pieces: [
    {
      guestFrom: 5n,
      guestTo: 10n ** 18n,
      offsetNs: -3n,
      ratePpm: -1.5,
      boundNs: 40.5,
      medianBoundNs: 12,
      methods: ['ping', 'exclusion'],
      samples: 9,
      violations: 1,
    },
  ],
  samples: [
    { guest: 5n, host: 2n },
    { guest: 10n ** 18n, host: 10n ** 18n - 7n },
  ],
};

describe('the clock files of a recording', () => {
  it('are read as they were written, and are optional', (test) => {
    const dir = scratchDir(test);
    assert.deepEqual(readPings(dir), []);
    assert.equal(readAlignment(dir), undefined);
    const pings = [
      { hostBefore: 1n, guest: 2n, hostAfter: 3n },
      { hostBefore: 10n ** 18n, guest: 0n, hostAfter: 10n ** 18n + 1n },
    ];
    writeFileSync(join(dir, pingsFile), pings.map(formatPing).join(''));
    writeFileSync(join(dir, alignmentFile), formatAlignment(alignment));
    assert.deepEqual(readPings(dir), pings);
    assert.deepEqual(readAlignment(dir), alignment);
  });

  it('have no last ping that is cut off, as after a crash', (test) => {
    const dir = scratchDir(test);
    writeFileSync(join(dir, pingsFile), '1 2 3\n4 5');
    assert.deepEqual(readPings(dir), [{ hostBefore: 1n, guest: 2n, hostAfter: 3n }]);
  });

  it('with other contents are refused', (test) => {
    const dir = scratchDir(test);
    for (const text of ['1 2\n', 'x 2 3\n', '1 2 3 4\n', '-1 2 3\n', `${'1'.repeat(20)} 2 3\n`]) {
      writeFileSync(join(dir, pingsFile), text);
      assert.throws(() => readPings(dir), Failure, text);
    }
    const good = JSON.parse(formatAlignment(alignment));
    for (const change of [
      { version: 2 },
      { peerId: 1 },
      { pieces: 'x' },
      { pieces: [{ ...good.pieces[0], boundNs: '1' }] },
      { pieces: [{ ...good.pieces[0], methods: [1] }] },
      { pieces: [{ ...good.pieces[0], guestTo: 'x' }] },
      { pieces: [null] },
      { samples: [{ guest: '1' }] },
      { samples: [{ guest: '1', host: 2 }] },
    ]) {
      writeFileSync(join(dir, alignmentFile), JSON.stringify({ ...good, ...change }));
      assert.throws(() => readAlignment(dir), Failure, JSON.stringify(change));
    }
    writeFileSync(join(dir, alignmentFile), '{');
    assert.throws(() => readAlignment(dir), /not a JSON object of version 1/);
    truncateSync(join(dir, alignmentFile), (64 << 20) + 1);
    assert.throws(() => readAlignment(dir), /larger than 67108864 bytes/);
  });

  it('become a TIME_SHIFT of all CPUs', () => {
    const { peerId, interpolates, cpus } = timeShiftOf(alignment, 3);
    assert.deepEqual([peerId, interpolates, cpus.length], [alignment.peerId, true, 3]);
    assert.deepEqual(cpus[2], [
      { time: 5n, offset: -3n, scale: 1n, fractionBits: 0n },
      { time: 10n ** 18n, offset: -7n, scale: 1n, fractionBits: 0n },
    ]);
  });
});
