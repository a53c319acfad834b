// @first its properties

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { checkedRuns, emptyTally, type RawTally } from '../../../../src/trace/check/checked-runs.ts';
import { markLoss } from '../../../../src/trace/check/loss-mark.ts';
import { checkPage, PageCursor } from '../../../../src/trace/ring/page-cursor.ts';
import { parsePageHeader } from '../../../../src/trace/ring/page-header.ts';
import { pagesOf } from '../../../../src/trace/ring/page-splitter.ts';
import { summarise } from '../../../../src/trace/ring/summary.ts';
import { fixture, guestCatalogue, guestLayout } from '../fixtures.ts';
import { head, madePage, smallLayout } from '../ring/made-pages.ts';
import { samplePages } from '../samples.ts';
import { thorough } from '../../../set.ts';

const layout = await guestLayout();
const catalogue = await guestCatalogue();
const { pageBytes } = layout;
const real = fixture('A/cpu0.raw.gz');
const pages = [...pagesOf(real, pageBytes)];

interface Kept {
  readonly tally: RawTally;
  readonly pages: Uint8Array[];
  /** Bytes of runs that are unchanged from the input. */
  readonly unchangedBytes: number;
}

/** Copies everything that passes the check; the input stays unchanged. */
async function keep(input: Uint8Array, blockPages = 256): Promise<Kept> {
  const tally = emptyTally();
  const kept: Uint8Array[] = [];
  let unchangedBytes = 0;
  async function* blocks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < input.length; at += blockPages * pageBytes) {
      yield input.slice(at, at + blockPages * pageBytes);
    }
  }
  for await (const { bytes, rawOffset } of checkedRuns(blocks(), layout, catalogue.common, tally)) {
    if (rawOffset !== undefined) {
      assert.deepEqual(bytes, input.subarray(rawOffset, rawOffset + bytes.length));
      unchangedBytes += bytes.length;
    }
    kept.push(...[...pagesOf(bytes, pageBytes)].map((page) => page.slice()));
  }
  return { tally, pages: kept, unchangedBytes };
}

function lostBefore(page: Uint8Array | undefined): bigint | 'unknown' | undefined {
  assert.ok(page);
  const header = parsePageHeader(new DataView(page.buffer, page.byteOffset, page.length), layout);
  assert.equal(header.status, 'ok');
  return header.status === 'ok' ? header.lostBefore : undefined;
}

/** The pages with one of them changed. */
function withPage(index: number, change: (page: Uint8Array, view: DataView) => void): Uint8Array {
  const bytes = real.slice();
  const page = bytes.subarray(index * pageBytes, (index + 1) * pageBytes);
  change(page, new DataView(page.buffer, page.byteOffset, page.length));
  return bytes;
}

/** Splits a page's first record into two, of which the first is too short for an event. */
function splitFirst(page: Uint8Array): void {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const cursor = new PageCursor(layout);
  cursor.load(page);
  while (cursor.next() && !(cursor.kind === 'data' && cursor.dataBytes >= 12 && cursor.dataBytes <= 112));
  const at = cursor.recordOffset;
  const words = view.getUint32(at, true) & 31;
  view.setUint32(at, head(1, 0), true);
  view.setUint32(at + 8, head(words - 2, 0), true);
}

function eventsIn(page: Uint8Array): bigint {
  return BigInt(summarise([page], layout, catalogue).events);
}

/** A page with room for a count after its data. */
const roomy = pages.findIndex((page, index) => {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const header = parsePageHeader(view, layout);
  return index > 3 && header.status === 'ok' && header.dataBytes + 8 <= pageBytes - 16;
});
const full = pages.findIndex((page, index) => {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const header = parsePageHeader(view, layout);
  return index > 3 && header.status === 'ok' && header.dataBytes + 8 > pageBytes - 16;
});

describe('checked pages', () => {
  it('all good: every byte is unchanged, in runs as long as the blocks', async () => {
    const kept = await keep(real);
    assert.equal(kept.unchangedBytes, real.length);
    const { first, last, eventsById, ...tally } = kept.tally;
    assert.deepEqual(tally, {
      pages: 138,
      events: 12_336,
      lost: 35_899n,
      pagesAfterUncountedLoss: 0,
      leftOut: new Map(),
      stepsBack: 0,
    });
    assert.equal(
      [...eventsById.values()].reduce((a, b) => a + b),
      12_336,
    );
    assert.ok(first !== undefined && last !== undefined && first < last);
  });

  it('a bad commit word: its page is skipped, and the next one is marked with a loss', async () => {
    const kept = await keep(withPage(roomy - 1, (_, view) => view.setUint32(8, 4081, true)));
    assert.deepEqual(kept.tally.leftOut, new Map([['commit-beyond-page', 1]]));
    assert.equal(kept.pages.length, 137);
    assert.equal(lostBefore(kept.pages[roomy - 1]), 'unknown');
    assert.equal(kept.tally.pagesAfterUncountedLoss, 1);
    assert.equal(kept.unchangedBytes, 136 * pageBytes);
  });

  it('a short record: the events of its page are counted as lost, if there is room', async () => {
    const kept = await keep(withPage(roomy - 1, splitFirst));
    assert.deepEqual(kept.tally.leftOut, new Map([['short-record', 1]]));
    const lost = eventsIn(pages[roomy - 1]!) + 1n;
    assert.equal(lostBefore(kept.pages[roomy - 1]), lost);
    assert.equal(kept.tally.lost, 35_899n + lost);
    assert.equal(BigInt(kept.tally.events), 12_336n - lost + 1n);
  });

  it('an event without a format passes like any other, and is counted by its id', async () => {
    const kept = await keep(withPage(roomy - 1, (page) => setFirstId(page, 65_000)));
    assert.equal(kept.unchangedBytes, real.length);
    assert.equal(kept.tally.events, 12_336);
    assert.equal(kept.tally.eventsById.get(65_000), 1);
  });

  it('alternating pages of two CPUs are counted as steps back in time', async () => {
    const other = samplePages('A')[1]!;
    const both = Buffer.alloc(20 * pageBytes);
    for (let index = 0; index < 10; index++) {
      both.set(real.subarray(index * pageBytes, (index + 1) * pageBytes), 2 * index * pageBytes);
      both.set(other.subarray(index * pageBytes, (index + 1) * pageBytes), (2 * index + 1) * pageBytes);
    }
    const kept = await keep(both);
    assert.equal(kept.unchangedBytes, both.length, 'none is thrown away');
    assert.ok(kept.tally.stepsBack > 0);
  });

  it('without room, the mark has no count, but the tally does', async () => {
    const kept = await keep(withPage(full - 1, splitFirst));
    assert.equal(lostBefore(kept.pages[full - 1]), 'unknown');
    assert.equal(kept.tally.lost, 35_899n + eventsIn(pages[full - 1]!) + 1n);
  });

  it('several bad pages in a row add up, with the losses of the ring before them', async () => {
    const bytes = fixture('lost-injected.raw.gz').slice();
    const own = [...pagesOf(bytes, pageBytes)];
    let lost = 0n;
    // Pages 3 and 7 have losses of 1003 and 1007 before them.
    for (let index = 3; index < 7; index++) {
      lost += eventsIn(own[index]!) + 1n;
      splitFirst(own[index]!);
    }
    const kept = await keep(bytes);
    assert.equal(kept.tally.leftOut.get('short-record'), 4);
    assert.equal(lostBefore(kept.pages[3]), 1003n + lost + 1007n);
    assert.equal(kept.tally.lost, 1003n + 1007n + 1011n + lost);
  });

  it('a truncated last page is skipped', async () => {
    const kept = await keep(real.subarray(0, real.length - 100));
    assert.deepEqual(kept.tally.leftOut, new Map([['truncated', 1]]));
    assert.equal(kept.pages.length, 137);
  });

  it('a record too short for an event id is not an event', async () => {
    const kept = await keep(
      withPage(5, (page, view) => {
        view.setUint32(16, head(1, 0), true);
        view.setUint32(8, 8, true);
        view.setUint32(12, 0, true);
        page.fill(0, 24);
      }),
    );
    assert.deepEqual(kept.tally.leftOut, new Map([['short-record', 1]]));
  });

  it('only good pages pass, for any bytes, and nothing is counted twice', async () => {
    const change = fc.tuple(fc.nat(19), fc.nat(pageBytes - 1), fc.nat(255));
    const start = pages.slice(0, 20);
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(pageBytes - 1),
        async (changes, blockPages, cut) => {
          const bytes = new Uint8Array(20 * pageBytes - cut);
          for (const [index, page] of start.entries()) {
            bytes.set(page.subarray(0, bytes.length - index * pageBytes), index * pageBytes);
          }
          for (const [page, at, byte] of changes) {
            // Half of the damage goes to the critical places: the header and the first records.
            const place = page * pageBytes + (byte % 2 === 0 ? at : at % 40);
            if (place < bytes.length) bytes[place] = byte;
          }
          const kept = await keep(bytes, blockPages);
          const cursor = new PageCursor(layout);
          for (const page of kept.pages) assert.equal(checkPage(cursor, page), 'ok');
          const seen = summarise(kept.pages, layout, catalogue);
          assert.equal(seen.events, kept.tally.events);
          for (const [id, events] of kept.tally.eventsById) {
            assert.equal(seen.byName.get(catalogue.byId(id)?.fullName ?? `#${id}`), events);
          }
          const leftOut = [...kept.tally.leftOut.values()].reduce((a, b) => a + b, 0);
          assert.equal(kept.pages.length, kept.tally.pages);
          assert.equal(kept.pages.length + leftOut, Math.ceil(bytes.length / pageBytes));
        },
      ),
      { numRuns: thorough(60) },
    );
  });
});

describe('loss mark', () => {
  it('equals the kernel’s: sign-extended flags, the count after the data', () => {
    const page = madePage({ words: [head(2, 1), 7, 8] });
    markLoss(page, smallLayout, 41n);
    const view = new DataView(page.buffer);
    assert.equal(view.getBigUint64(8, true), 0xffff_ffff_c000_000cn);
    assert.equal(view.getBigUint64(28, true), 41n);
    markLoss(page, smallLayout, 1n);
    assert.equal(view.getBigUint64(28, true), 42n);
    markLoss(page, smallLayout, 'unknown');
    assert.equal(view.getBigUint64(8, true), 0xffff_ffff_8000_000cn);
  });

  it('has four bytes for flags and count on a 32-bit kernel', () => {
    const narrow = { ...smallLayout, commitBytes: 4, dataOffset: 12 } as const;
    const page = madePage({ words: [head(2, 1), 7, 8], layout: narrow });
    markLoss(page, narrow, 41n);
    const view = new DataView(page.buffer);
    assert.deepEqual([view.getUint32(8, true), view.getUint32(24, true)], [0xc000_000c, 41]);
    assert.equal(view.getUint32(12, true), head(2, 1));
  });

  it('the fast path and the full check agree for any pages', async () => {
    /** The same bytes, unaligned, so that the fast path cannot be used. */
    const askew = (bytes: Uint8Array): Uint8Array => {
      const copy = new Uint8Array(bytes.length + 1).subarray(1);
      copy.set(bytes);
      return copy;
    };
    const tallyOf = async (block: Uint8Array): Promise<[RawTally, string[]]> => {
      const tally = emptyTally();
      const kept: string[] = [];
      for await (const { bytes, rawOffset } of checkedRuns(only(block), layout, catalogue.common, tally))
        kept.push(`${rawOffset} ${Buffer.from(bytes).toString('base64')}`);
      return [tally, kept];
    };
    async function* only(block: Uint8Array): AsyncGenerator<Uint8Array> {
      yield block;
    }
    const some = real.subarray(0, 3 * pageBytes);
    const heads: number[] = [];
    const cursor = new PageCursor(layout);
    cursor.load(pages[1]!);
    while (cursor.next()) heads.push(cursor.recordOffset / 4);
    // cases that are rare by chance, in the last record of the second page, at `at`, of `words` words
    const last = pageBytes / 4 + heads.at(-1)!;
    const wholeView = new DataView(some.buffer, some.byteOffset);
    const words = 1 + (wholeView.getUint32(last * 4, true) & 31);
    assert.ok(words > 4 && words < 30, `${words}`);
    const id = wholeView.getUint32((last + 1) * 4, true);
    for (const written of [
      { 0: 1, 1: id, 2: words - 3, 3: id }, // a record too short for an event, and one that is not
      { 0: 29 | (1 << 5), 1: (words - 1) * 4 }, // discarded
      { 0: 29, 1: 0 }, // the end of the page
      { 0: 0, 1: 0 }, // a stored length shorter than itself
      { 0: 0, 1: (words - 1) * 4, 2: id }, // a stored length
      { 0: words - 2, [words - 1]: 30 }, // a time-extend without its second word
      { 0: 30 | (5 << 5), 1: 0xffff_ffff, 2: words - 3, 3: id }, // the longest one
      { 0: 31 | (5 << 5), 1: 7, 2: words - 3, 3: id }, // a time stamp
    ]) {
      const bytes = some.slice();
      const view = new DataView(bytes.buffer);
      for (const [at, value] of Object.entries(written)) view.setUint32((last + Number(at)) * 4, value, true);
      assert.deepEqual(await tallyOf(bytes.slice()), await tallyOf(askew(bytes)), JSON.stringify(written));
    }
    const change = fc.record({
      // record headers in the second page; elsewhere mostly the page header
      word: fc.oneof(
        fc.tuple(fc.constantFrom(...heads), fc.nat(1)).map(([head, next]) => pageBytes / 4 + head + next),
        fc.constantFrom(2, pageBytes / 4 + 2),
        fc.nat(20),
        fc.nat((3 * pageBytes) / 4 - 1),
      ),
      value: fc.oneof(
        fc.nat(0xffff_ffff),
        fc.tuple(fc.nat(31), fc.nat(3)).map(([type, delta]) => (delta << 5) | type),
        fc.nat(1100).map((words) => words * 4),
        fc.nat(100),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 4 }), async (changes) => {
        const bytes = some.slice();
        const view = new DataView(bytes.buffer);
        for (const { word, value } of changes) view.setUint32(word * 4, value, true);
        assert.deepEqual(await tallyOf(bytes.slice()), await tallyOf(askew(bytes)));
      }),
      { numRuns: thorough(1000) },
    );
  });
});

/** Sets another event id in the page's first data record. */
function setFirstId(page: Uint8Array, id: number): void {
  const cursor = new PageCursor(layout);
  cursor.load(page);
  while (cursor.next() && cursor.kind !== 'data');
  cursor.view.setUint16(cursor.dataOffset, id, true);
}
