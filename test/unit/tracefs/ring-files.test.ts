import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  parseBufferSize,
  parsePageLayout,
  parseRingStats,
  subBuffersOf,
} from '../../../src/tracefs/ring-files.ts';

const statsText = `entries: 12
overrun: 35899
commit overrun: 3
bytes: 4504
oldest event ts:    13.362528
now ts:    22.672958
dropped events: 7
read events: 12336
`;

describe('ring statistics', () => {
  it('reads every line of a 6.1 file', () => {
    assert.deepEqual(parseRingStats(statsText), {
      entries: 12,
      overrun: 35_899,
      commitOverrun: 3,
      bytes: 4504,
      oldestEventTs: '13.362528',
      nowTs: '22.672958',
      droppedEvents: 7,
      readEvents: 12_336,
    });
  });

  it('limits a count that went below zero in the kernel to a safe integer', () => {
    const stats = parseRingStats(statsText.replace('entries: 12', 'entries: 18446744073709551615'));
    assert.equal(stats.entries, Number.MAX_SAFE_INTEGER);
  });

  it('accepts bare counts as time stamps, as the clocks counter and x86-tsc have them', () => {
    const stats = parseRingStats(statsText.replace('   22.672958', ' 987654321'));
    assert.equal(stats.nowTs, '987654321');
  });

  it('reports the missing line', () => {
    assert.throws(() => parseRingStats(statsText.replace('dropped events: 7\n', '')), /"dropped events"/);
    assert.throws(() => parseRingStats(statsText.replace('bytes: 4504', 'bytes: -1')), /"bytes: -1"/);
  });
});

function headerPage(offset: number, size: number): string {
  return `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:${offset};\tsize:${size};\tsigned:0;
`;
}

describe('header_page', () => {
  it('yields the data field of 64-bit, 32-bit and large-page kernels', () => {
    assert.deepEqual(parsePageLayout(headerPage(16, 4080)), { dataOffset: 16, dataBytes: 4080 });
    assert.deepEqual(parsePageLayout(headerPage(12, 4084)), { dataOffset: 12, dataBytes: 4084 });
    assert.deepEqual(parsePageLayout(headerPage(16, 65_520)), { dataOffset: 16, dataBytes: 65_520 });
  });

  it('refuses sizes that no kernel has', () => {
    for (const [offset, size] of [
      [16, 0],
      [0, 4096],
      [16, 99_999_999],
    ] as const) {
      assert.throws(() => parsePageLayout(headerPage(offset, size)), /header_page/);
    }
    assert.throws(() => parsePageLayout(''), /header_page/);
  });

  it('returns a valid layout or throws for any text', () => {
    const piece = fc.oneof(
      fc.constantFrom('field: char data;', ' offset:', ' size:', ';', '\t'),
      fc.nat().map(String),
      fc.string(),
    );
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join('')),
        (text) => {
          let layout;
          try {
            layout = parsePageLayout(text);
          } catch (error) {
            return error instanceof Error && error.message.startsWith('header_page');
          }
          return layout.dataBytes > 0 && layout.dataOffset + layout.dataBytes <= 8 << 20;
        },
      ),
    );
  });
});

describe('buffer_size_kb', () => {
  it('reads its three forms', () => {
    assert.deepEqual(parseBufferSize('1410\n'), { kb: 1410, expandedKb: undefined });
    assert.deepEqual(parseBufferSize('7 (expanded: 1408)\n'), { kb: 7, expandedKb: 1408 });
    assert.deepEqual(parseBufferSize('X\n'), { kb: undefined, expandedKb: undefined });
  });

  it('refuses anything else', () => {
    for (const text of ['', '-1', '7 (expanded: )', '1410 KB', '12\n13']) {
      assert.throws(() => parseBufferSize(text), /buffer_size_kb says/);
    }
  });

  it('yields the number of sub-buffers from the size that the kernel rounded down', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 1_000_000 }),
        fc.constantFrom(4080, 4084, 8176, 65_520),
        (pages, dataBytes) => {
          const told = Math.floor((pages * dataBytes) / 1024);
          return subBuffersOf(told, dataBytes) === pages;
        },
      ),
    );
    assert.equal(subBuffersOf(1, 4080), 2, 'a ring has two at least');
  });
});
