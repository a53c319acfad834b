import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { readValue } from '../../../../src/trace/format/record-data.ts';
import { eventsOf, markersOf } from '../../../../src/trace/ring/events.ts';
import { PageCursor } from '../../../../src/trace/ring/page-cursor.ts';
import { PageSplitter, pagesOf } from '../../../../src/trace/ring/page-splitter.ts';
import { summarise } from '../../../../src/trace/ring/summary.ts';
import { fixture, guestCatalogue, guestLayout } from '../fixtures.ts';
import { thorough } from '../../../set.ts';

const layout = await guestLayout();
const catalogue = await guestCatalogue();
const realPages = [
  ...pagesOf(fixture('A/cpu0.raw.gz'), layout.pageBytes),
  ...pagesOf(fixture('synth-types.raw'), layout.pageBytes),
];
const formats = [...catalogue.formats()];

/** The page surrounded by other bytes, like the pages of a stream. */
function surrounded(page: Uint8Array): Uint8Array {
  const around = new Uint8Array(page.length + 128).fill(0xa5);
  around.set(page, 64);
  return around.subarray(64, 64 + page.length);
}

/** Walks to the end and checks the invariants for any bytes. */
function walkAndCheck(bytes: Uint8Array, fieldSeed: number): void {
  const cursor = new PageCursor(layout);
  const page = surrounded(bytes);
  cursor.load(page);
  const dataBytes = cursor.header?.dataBytes ?? 0;
  const dataEnd = layout.dataOffset + dataBytes;
  assert.ok(dataEnd <= layout.pageBytes);
  let walkedBytes = 0;
  let end = layout.dataOffset;
  while (cursor.next()) {
    assert.equal(cursor.recordOffset, end, 'records follow each other without a gap');
    assert.ok(cursor.dataOffset >= cursor.recordOffset + 4);
    end = cursor.recordEnd;
    assert.equal(cursor.dataOffset + cursor.dataBytes, end);
    walkedBytes += end - cursor.recordOffset;
    assert.ok(walkedBytes <= dataBytes);
    assert.ok(cursor.timestamp >= 0n && cursor.timestamp < 1n << 64n);
    // Any format, which need not fit the record: its offsets are as hostile as the record.
    const format = formats[(fieldSeed + walkedBytes) % formats.length]!;
    for (const field of format.fields) {
      const value = readValue(cursor, field);
      if (value instanceof Uint8Array) {
        assert.ok(value.byteOffset >= page.byteOffset + cursor.dataOffset);
        assert.ok(value.byteOffset + value.length <= page.byteOffset + end);
      } else if (typeof value === 'string') {
        assert.ok(value.length <= cursor.dataBytes);
      }
    }
  }
  assert.equal(cursor.next(), false, 'the end stays the end');
}

const mutatedPage = fc
  .tuple(
    fc.nat(realPages.length - 1),
    fc.array(fc.tuple(fc.nat(layout.pageBytes - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
    fc.option(fc.nat(layout.pageBytes)),
  )
  .map(([index, changes, cut]) => {
    const page = realPages[index]!.slice(0, cut ?? undefined);
    for (const [at, byte] of changes) if (at < page.length) page[at] = byte;
    return page;
  });

/** Random bytes after a commit word that lets the walk begin. */
const randomPage = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 4096 }), fc.nat(4080))
  .map(([bytes, commit]) => {
    const page = new Uint8Array(layout.pageBytes);
    for (let at = 0; at < page.length; at++) page[at] = bytes[at % bytes.length]!;
    new DataView(page.buffer).setBigUint64(layout.commitOffset, BigInt(commit), true);
    return page;
  });

describe('hostile pages', () => {
  it('random bytes are walked within bounds, to an end', () => {
    fc.assert(fc.property(randomPage, fc.nat(5000), walkAndCheck), { numRuns: thorough(300) });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(5000), walkAndCheck), {
      numRuns: thorough(100),
    });
  });

  it('damaged real pages are walked within bounds, to an end', () => {
    fc.assert(fc.property(mutatedPage, fc.nat(5000), walkAndCheck), { numRuns: thorough(500) });
  });

  it('a damaged page does not hide the next', () => {
    const good = realPages[1]!;
    const alone = summarise([good], layout, catalogue).events;
    fc.assert(
      fc.property(mutatedPage, (page) => {
        const all = summarise([page, good], layout, catalogue);
        const first = summarise([page], layout, catalogue);
        assert.equal(all.events, first.events + alone);
        assert.equal([...eventsOf([page, good], layout, catalogue)].length, all.events);
      }),
      { numRuns: thorough(100) },
    );
  });

  it('any text in a marker is returned', () => {
    const print = catalogue.byName('ftrace:print')!;
    fc.assert(
      fc.property(randomPage, mutatedPage, (a, b) => {
        for (const text of markersOf([a, b], layout, print)) assert.equal(typeof text, 'string');
      }),
      { numRuns: thorough(100) },
    );
  });
});

describe('page splitter', () => {
  it('yields the same pages at any chunk boundaries', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 64 }),
        (bytes, cuts, pageBytes) => {
          const splitter = new PageSplitter(pageBytes);
          const pages: Uint8Array[] = [];
          let at = 0;
          for (const cut of [...cuts, bytes.length]) {
            pages.push(...splitter.push(bytes.subarray(at, at + cut)));
            at = Math.min(at + cut, bytes.length);
            assert.ok(splitter.pendingBytes < pageBytes);
          }
          const whole = Math.floor(bytes.length / pageBytes);
          assert.deepEqual(
            pages.map((page) => [...page]),
            Array.from({ length: whole }, (_, page) => [
              ...bytes.subarray(page * pageBytes, (page + 1) * pageBytes),
            ]),
          );
          assert.equal(splitter.pendingBytes, bytes.length % pageBytes);
        },
      ),
    );
  });
});
