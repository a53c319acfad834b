import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventsOf, markersOf } from '../../../../src/trace/ring/events.ts';
import { pagesOf } from '../../../../src/trace/ring/page-splitter.ts';
import { summarise } from '../../../../src/trace/ring/summary.ts';
import { fixture, fixtureText, guestCatalogue, guestLayout } from '../fixtures.ts';
import { head, madePage, smallLayout } from './made-pages.ts';

const catalogue = await guestCatalogue();
const print = catalogue.byName('ftrace:print')!;

/** Words of an `ftrace:print` record of that text, NUL and padding included. */
function printed(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  const data = new Uint8Array(16 + Math.ceil((bytes.length + 1) / 4) * 4);
  data[0] = print.id;
  data.set(bytes, 16);
  return [head(data.length / 4, 1), ...new Uint32Array(data.buffer)];
}

describe('markers', () => {
  it('equal the texts of the kernel’s own report', async () => {
    const layout = await guestLayout();
    const expected = [...fixtureText('B/kernel-trace.txt.gz').matchAll(/: tracing_mark_write: (.*)/g)];
    const seen = [0, 1].flatMap((cpu) => [
      ...markersOf(pagesOf(fixture(`B/cpu${cpu}.raw.gz`), layout.pageBytes), layout, print),
    ]);
    assert.ok(expected.length > 0);
    assert.deepEqual(
      seen,
      expected.map((match) => match[1]),
    );
  });

  it('lose only the newline that the kernel appends', () => {
    const page = madePage({ words: [...printed('one\n'), ...printed('two\n\n'), ...printed('three')] });
    assert.deepEqual([...markersOf([page], smallLayout, print)], ['one', 'two\n', 'three']);
  });

  it('are not read from other events', () => {
    const words = printed('one\n');
    words[1] = print.id + 1;
    assert.deepEqual([...markersOf([madePage({ words })], smallLayout, print)], []);
  });
});

describe('events and summary', () => {
  it('return the thread and location of an event, and no discarded event', () => {
    const words = [head(29, 7), 12, 5, 1, head(2, 0), 5, 0xffff_ffff];
    assert.deepEqual(
      [...eventsOf([madePage({}), madePage({ words })], smallLayout, catalogue)],
      [
        {
          timestamp: 1007n,
          id: 5,
          name: 'ftrace:print',
          pid: -1,
          pageIndex: 1,
          dataOffset: 36,
          dataBytes: 8,
        },
      ],
    );
  });

  it('count losses, faults, unknown events and short records', () => {
    const words = [head(2, 1), 5, 1, head(2, 1), 60_000, 1, head(1, 1), 5];
    const summary = summarise(
      [
        madePage({ words }),
        madePage({ words: [7, 0], commit: 0xffff_ffff_c000_0000n }),
        madePage({ commit: 0x8000_0000n }),
        madePage({ commit: 4000n }),
        madePage({ words: [head(2, 1), 5, 1, head(0, 1), 3] }),
      ],
      smallLayout,
      catalogue,
    );
    assert.deepEqual(summary, {
      pages: 5,
      events: 3,
      lost: 7n,
      pagesAfterUncountedLoss: 1,
      shortRecords: 1,
      byName: new Map([
        ['ftrace:print', 2],
        ['#60000', 1],
      ]),
      malformed: new Map([
        ['commit-beyond-page', 1],
        ['bad-length', 1],
      ]),
    });
  });
});
