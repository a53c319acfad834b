import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkPage, PageCursor } from '../../../../src/trace/ring/page-cursor.ts';
import { head, madePage, smallLayout, type MadePage } from './made-pages.ts';

const padding = 29;
const timeExtend = 30;
const timeStamp = 31;

/** Walks a page: its records as `kind timestamp dataOffset+dataBytes`, then the page's status. */
function walk(made: MadePage): string[] {
  const cursor = new PageCursor(smallLayout);
  const seen: string[] = [];
  cursor.load(madePage(made));
  while (cursor.next()) {
    seen.push(`${cursor.kind} ${cursor.timestamp} ${cursor.dataOffset}+${cursor.dataBytes}`);
  }
  return [...seen, cursor.status];
}

describe('page header', () => {
  const load = (made: MadePage): PageCursor => {
    const cursor = new PageCursor(smallLayout);
    cursor.load(madePage(made));
    return cursor;
  };

  it('accepts a page that is full to its last byte, and no byte more', () => {
    assert.equal(load({ commit: 112n }).header?.dataBytes, 112);
    assert.equal(load({ commit: 113n }).status, 'commit-beyond-page');
    assert.equal(load({ commit: 113n }).next(), false);
  });

  it('distinguishes no loss, an uncounted and a counted one', () => {
    assert.equal(load({ words: [head(1, 0), 7] }).header?.lostBefore, undefined);
    assert.equal(
      load({ words: [head(1, 0), 7], commit: 0xffff_ffff_8000_0008n }).header?.lostBefore,
      'unknown',
    );
    const counted = load({ words: [head(1, 0), 7, 35_899, 1], commit: 0xffff_ffff_c000_0008n });
    assert.equal(counted.header?.lostBefore, 35_899n + (1n << 32n));
    assert.equal(counted.header?.dataBytes, 8);
  });

  it('requires room for the stored count', () => {
    assert.equal(load({ commit: 0xffff_ffff_c000_0068n }).status, 'ok');
    assert.equal(load({ commit: 0xffff_ffff_c000_006cn }).status, 'lost-count-beyond-page');
  });

  it('reads the 4-byte commit and count of a 32-bit kernel', () => {
    const layout = { ...smallLayout, commitBytes: 4, dataOffset: 12 } as const;
    const cursor = new PageCursor(layout);
    cursor.load(madePage({ layout, words: [head(1, 5), 7, 11, 0xffff_ffff], commit: 0xc000_0008n }));
    assert.equal(cursor.header?.lostBefore, 11n);
    assert.ok(cursor.next());
    assert.deepEqual([cursor.timestamp, cursor.dataOffset, cursor.next()], [1005n, 16, false]);
  });

  it('requires exactly one page', () => {
    const cursor = new PageCursor(smallLayout);
    for (const bytes of [0, 15, 127, 129])
      assert.equal(cursor.load(new Uint8Array(bytes)), 'wrong-page-size');
    assert.equal(cursor.next(), false);
  });
});

describe('record walk', () => {
  it('adds up deltas and finds each record’s data', () => {
    assert.deepEqual(
      walk({ words: [head(1, 10), 7, head(0, 20), 12, 8, 8, head(padding, 30), 8, 9, head(2, 1), 5, 5] }),
      ['data 1010 20+4', 'data 1030 32+8', 'discarded 1060 48+4', 'data 1061 56+8', 'ok'],
    );
  });

  it('applies time extends and absolute time stamps', () => {
    assert.deepEqual(walk({ words: [head(timeExtend, 3), 2, head(1, 1), 7] }), [
      `time-extend ${1003n + (2n << 27n)} 24+0`,
      `data ${1004n + (2n << 27n)} 28+4`,
      'ok',
    ]);
    assert.deepEqual(walk({ words: [head(1, 9), 7, head(timeStamp, 3), 2] }), [
      'data 1009 20+4',
      `time-stamp ${3n + (2n << 27n)} 32+0`,
      'ok',
    ]);
  });

  it('carries over when the 59 bits of a stamp have wrapped within the page', () => {
    const timestamp = (3n << 59n) - 5n;
    assert.deepEqual(walk({ timestamp, words: [head(timeStamp, 4), 0] }), [
      `time-stamp ${(3n << 59n) + 4n} 24+0`,
      'ok',
    ]);
  });

  it('wraps at 64 bits as the kernel does', () => {
    assert.deepEqual(walk({ timestamp: (1n << 64n) - 1n, words: [head(1, 3), 7] }), ['data 2 20+4', 'ok']);
  });

  it('ends at a padding without delta', () => {
    assert.deepEqual(walk({ words: [head(1, 1), 7, head(padding, 0), 9, head(1, 1), 7] }), [
      'data 1001 20+4',
      'ok',
    ]);
  });

  it('reports what ends a page early, and keeps the records before it', () => {
    const first = 'data 1001 20+4';
    const after = (...words: number[]): string[] => walk({ words: [head(1, 1), 7, ...words] });
    assert.deepEqual(after(head(2, 1), 7), [first, 'record-beyond-data']);
    assert.deepEqual(after(head(0, 1)), [first, 'record-beyond-data']);
    assert.deepEqual(after(head(timeExtend, 1)), [first, 'record-beyond-data']);
    assert.deepEqual(after(head(0, 1), 12, 7), [first, 'record-beyond-data']);
    assert.deepEqual(after(head(padding, 1), 0xffff_fffc), [first, 'record-beyond-data']);
    assert.deepEqual(after(head(0, 1), 0), [first, 'bad-length']);
    assert.deepEqual(after(head(padding, 1), 0), [first, 'bad-length']);
    assert.deepEqual(after(head(0, 1), 6, 7, 7), [first, 'bad-length']);
    assert.deepEqual(walk({ words: [head(1, 1), 7, head(padding, 0)], commit: 10n }), [
      first,
      'record-beyond-data',
    ]);
    assert.deepEqual(walk({ words: [head(1, 1), 7, head(1, 1)], commit: 10n }), [
      first,
      'record-beyond-data',
    ]);
  });

  it('starts over with each page', () => {
    const cursor = new PageCursor(smallLayout);
    assert.equal(checkPage(cursor, madePage({ words: [head(2, 1), 7] })), 'record-beyond-data');
    assert.equal(checkPage(cursor, madePage({ commit: 1000n })), 'commit-beyond-page');
    assert.equal(checkPage(cursor, madePage({ timestamp: 5n, words: [head(1, 1), 7] })), 'ok');
    assert.deepEqual([cursor.timestamp, cursor.dataOffset], [6n, 20]);
  });
});
