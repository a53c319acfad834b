import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  decodeFrameHeader,
  decodeHead,
  encodeFrameHeader,
  encodeHead,
  frameHeaderSize,
  frameKinds,
  headSize,
  isFramed,
} from '../../../src/protocol/frames.ts';
import { thorough } from '../../set.ts';

const syncs = fc.uint8Array({ minLength: 8, maxLength: 8 });
const headers = fc.record(
  {
    kind: fc.constantFrom(...Object.values(frameKinds)),
    cpu: fc.nat(0xffff),
    bytes: fc.nat(0xffff_ffff),
    position: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);

describe('frames', () => {
  it('are read as they were written, at any position', () => {
    fc.assert(
      fc.property(syncs, headers, fc.nat(7), (sync, header, at) => {
        const encoded = encodeFrameHeader(sync, header);
        assert.equal(encoded.length, frameHeaderSize);
        const within = new Uint8Array(at + frameHeaderSize);
        within.set(encoded, at);
        assert.deepEqual(decodeFrameHeader(sync, within.subarray(at)), header);
      }),
      { numRuns: thorough(1000) },
    );
  });

  it('with a changed bit are not recognised', () => {
    fc.assert(
      fc.property(syncs, headers, fc.nat(frameHeaderSize * 8 - 1), (sync, header, bit) => {
        const encoded = encodeFrameHeader(sync, header);
        encoded[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(decodeFrameHeader(sync, encoded), undefined);
      }),
      { numRuns: thorough(1000) },
    );
  });

  it('begin after a head', () => {
    const sync = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const head = encodeHead({ pageBytes: 4096, sync });
    assert.equal(head.length, headSize);
    assert.equal(Buffer.from(head).toString('latin1', 0, 8), '\x89vtrace\n');
    assert.deepEqual(decodeHead(head), { version: 1, pageBytes: 4096, sync });
    assert.equal(isFramed(head), true);
    for (const other of ['', '\x89vtrace', '\x89vtrace\r\n', '\x17\x08\x44tracing'])
      assert.equal(isFramed(Buffer.from(other, 'latin1')), false);
  });
});
