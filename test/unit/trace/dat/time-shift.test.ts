import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { formatGuest, parseGuest } from '../../../../src/trace/dat/guest-option.ts';
import { formatTimeShift, parseTimeShift } from '../../../../src/trace/dat/time-shift.ts';
import { optionId } from '../../../../src/trace/dat/ids.ts';
import { takeOption } from '../../../../src/trace/dat/read/read-bodies.ts';
import { noOptions } from '../../../../src/trace/dat/read/trace-file.ts';
import { TraceFileError } from '../../../../src/trace/dat/read/byte-reader.ts';

const s64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const samples = fc
  .uniqueArray(
    fc.record({ time: s64, offset: s64, scale: u64, fractionBits: u64 }, { noNullPrototype: true }),
    {
      maxLength: 5,
      selector: ({ time }) => time,
    },
  )
  .map((list) => list.toSorted((a, b) => (a.time < b.time ? -1 : 1)));

describe('TIME_SHIFT', () => {
  it('is read as it was written', () =>
    fc.assert(
      fc.property(u64, fc.boolean(), fc.array(samples, { maxLength: 4 }), (peerId, interpolates, cpus) => {
        const shift = { peerId, interpolates, cpus };
        assert.deepEqual(parseTimeShift(formatTimeShift(shift)), shift);
      }),
    ));

  it('without fraction bits, as older versions of trace-cmd write it, has none', () => {
    const shift = {
      peerId: 1n,
      interpolates: true,
      cpus: [[{ time: 1n, offset: 2n, scale: 3n, fractionBits: 4n }]],
    };
    const content = formatTimeShift(shift);
    assert.equal(parseTimeShift(content.subarray(0, -8))?.cpus[0]?.[0]?.fractionBits, 0n);
  });

  it('of several samples of one time keeps the first, and sorts them', () => {
    const at = (time: bigint, offset: bigint) => ({ time, offset, scale: 1n, fractionBits: 0n });
    const cpus = [[at(9n, 1n), at(5n, 2n), at(9n, 3n)]];
    assert.deepEqual(parseTimeShift(formatTimeShift({ peerId: 0n, interpolates: true, cpus }))?.cpus, [
      [at(5n, 2n), at(9n, 1n)],
    ]);
  });

  it('that is cut off is an error, and one without a head is none', () => {
    const content = formatTimeShift({
      peerId: 1n,
      interpolates: true,
      cpus: [[{ time: 1n, offset: 2n, scale: 1n, fractionBits: 0n }]],
    });
    assert.equal(parseTimeShift(content.subarray(0, 15)), undefined);
    for (let bytes = 16; bytes < content.length; bytes++)
      if (bytes !== content.length - 8)
        assert.throws(() => parseTimeShift(content.subarray(0, bytes)), TraceFileError, `${bytes} bytes`);
    const huge = Buffer.from(content);
    huge.writeUInt32LE(0xffff_ffff, 16);
    assert.throws(() => parseTimeShift(huge), /too short for the 4294967295 samples of CPU 0/);
    huge.writeUInt32LE(9000, 12);
    assert.throws(() => parseTimeShift(huge), /9000 CPUs/);
  });
});

describe('GUEST', () => {
  it('is read as it was written, and has no gaps in the vCPUs', () => {
    const guest = {
      name: 'web',
      traceId: 7n,
      vcpuTids: new Map([
        [0, 100],
        [2, 102],
      ]),
    };
    const content = formatGuest(guest);
    assert.deepEqual(parseGuest(content), guest);
    assert.equal(content.readUInt32LE('web'.length + 1 + 8), 3);
  });

  it('that is cut off is an error', () => {
    const content = formatGuest({ name: 'web', traceId: 7n, vcpuTids: new Map([[0, 100]]) });
    for (let bytes = 0; bytes < content.length; bytes++)
      assert.throws(() => parseGuest(content.subarray(0, bytes)), TraceFileError);
  });

  it('is read for a limited number of guests', () => {
    const options = noOptions();
    const content = formatGuest({ name: 'web', traceId: 7n, vcpuTids: new Map() });
    for (let count = 0; count < 1100; count++) takeOption(options, optionId.guest, content);
    assert.equal(options.guests.length, 1024);
  });
});
