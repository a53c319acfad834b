import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventCatalogue } from '../../../../src/trace/format/event-catalogue.ts';
import { fieldOf } from '../../../../src/trace/format/event-format.ts';
import { readNumber } from '../../../../src/trace/format/record-data.ts';
import { eventsOf } from '../../../../src/trace/ring/events.ts';
import { PageCursor } from '../../../../src/trace/ring/page-cursor.ts';
import { parsePageLayout, type PageLayout } from '../../../../src/trace/ring/page-layout.ts';
import { pagesOf } from '../../../../src/trace/ring/page-splitter.ts';
import { summarise } from '../../../../src/trace/ring/summary.ts';
import {
  archiveTexts,
  fixture,
  fixtureFormats,
  fixtureText,
  guestCatalogue,
  guestLayout,
  guestTexts,
  headerPageText,
} from '../fixtures.ts';

const kinds = { data: 'EV', discarded: 'DISCARD', 'time-extend': 'EXT', 'time-stamp': 'ABS' } as const;

/** Decodes all pages of one CPU into lines of records.tsv. */
async function recordLines(cpu: number, bytes: Uint8Array, layout: PageLayout): Promise<string[]> {
  const { common } = await guestCatalogue();
  const cursor = new PageCursor(layout);
  const lines: string[] = [];
  let pageIndex = 0;
  for (const page of pagesOf(bytes, layout.pageBytes)) {
    cursor.load(page);
    const lost = cursor.header?.lostBefore;
    if (lost !== undefined) lines.push([cpu, pageIndex, 'LOST', lost, '', ''].join('\t'));
    while (cursor.next()) {
      const own =
        cursor.kind === 'data'
          ? [readNumber(cursor, common.type), readNumber(cursor, common.pid), cursor.dataBytes]
          : ['', '', ''];
      lines.push([cpu, pageIndex, kinds[cursor.kind], cursor.timestamp, ...own].join('\t'));
    }
    assert.equal(cursor.status, 'ok', `cpu ${cpu} page ${pageIndex}`);
    pageIndex++;
  }
  return lines;
}

/** `NAME: fields`; system calls are `sys_NAME(arguments)` and `sys_NAME -> result`, markers have their caller's name. */
function eventNameIn(text: string): string {
  return text
    .replace(/^sys_(\w+)\(.*/, 'sys_enter_$1')
    .replace(/^sys_(\w+) ->.*/, 'sys_exit_$1')
    .replace(/:.*/, '')
    .replace('tracing_mark_write', 'print');
}

describe('recorded pages', () => {
  for (const sample of ['A', 'B']) {
    it(`sample ${sample} decodes to the record as listed`, async () => {
      const layout = await guestLayout();
      const lines = [
        ...(await recordLines(0, fixture(`${sample}/cpu0.raw.gz`), layout)),
        ...(await recordLines(1, fixture(`${sample}/cpu1.raw.gz`), layout)),
      ];
      const expected = fixtureText(`${sample}/records.tsv.gz`).trimEnd().split('\n');
      const trimmed = (line: string): string => line.trimEnd();
      assert.deepEqual(lines.map(trimmed), expected.map(trimmed));
    });
  }

  it('counts of A equal those of the kernel’s stats files', async () => {
    const layout = await guestLayout();
    const catalogue = await guestCatalogue();
    const texts = await guestTexts();
    for (const cpu of [0, 1]) {
      const summary = summarise(pagesOf(fixture(`A/cpu${cpu}.raw.gz`), layout.pageBytes), layout, catalogue);
      const stats = texts.get(`per_cpu/cpu${cpu}/stats`)!;
      assert.equal(summary.events, Number(/^read events: (\d+)/m.exec(stats)![1]));
      assert.equal(summary.lost, BigInt(/^overrun: (\d+)/m.exec(stats)![1]!));
      assert.equal(summary.malformed.size, 0);
      assert.equal(summary.shortRecords, 0);
      assert.ok(![...summary.byName.keys()].some((name) => name.startsWith('#')), 'every id has its name');
    }
  });

  it('events of B equal those of the kernel’s own text, with name, thread, CPU and time', async () => {
    const layout = await guestLayout();
    const catalogue = await guestCatalogue();
    // "  <idle>-0       [000] d.s3.     2.360191: sched_waking: ..."
    const line = /^ *.*?-(\d+) +\[(\d+)\] \S+ +(\d+\.\d{6}): (.*)/;
    const perCpu = new Map<number, string[]>([
      [0, []],
      [1, []],
    ]);
    for (const text of fixtureText('B/kernel-trace.txt.gz').split('\n')) {
      const match = text.startsWith('#') ? null : line.exec(text);
      if (match) perCpu.get(Number(match[2]))!.push(`${match[3]} ${match[1]} ${eventNameIn(match[4]!)}`);
    }
    assert.equal(perCpu.get(0)!.length + perCpu.get(1)!.length, 2983);
    for (const [cpu, expected] of perCpu) {
      const events = eventsOf(pagesOf(fixture(`B/cpu${cpu}.raw.gz`), layout.pageBytes), layout, catalogue);
      const seen = [...events].map(({ timestamp, pid, name }) => {
        const us = (timestamp + 500n) / 1000n;
        const seconds = `${us / 1_000_000n}.${String(us % 1_000_000n).padStart(6, '0')}`;
        return `${seconds} ${pid} ${name?.split(':')[1]}`;
      });
      assert.deepEqual(seen, expected);
    }
  });

  it('counts of B equal those of its stats files', async () => {
    const layout = await guestLayout();
    const texts = await archiveTexts('B/meta-no-events-no-kallsyms.tar.gz');
    for (const cpu of [0, 1]) {
      const { events, lost } = summarise(pagesOf(fixture(`B/cpu${cpu}.raw.gz`), layout.pageBytes), layout);
      const stats = texts.get(`stats-before-${cpu}`) ?? '';
      assert.equal(events, Number(/^entries: (\d+)/m.exec(stats)?.[1]));
      assert.equal(lost, 0n);
    }
  });

  it('a host’s kvm_entry has its vCPU and thread', async () => {
    const layout = await guestLayout();
    const catalogue = new EventCatalogue(fixtureFormats('kvm', ['kvm_entry', 'kvm_exit']));
    const vcpuId = fieldOf(catalogue.byName('kvm:kvm_entry')!, 'vcpu_id')!;
    const cursor = new PageCursor(layout);
    for (const cpu of [0, 1]) {
      cursor.load(fixture(`host-kvm-entry-cpu${cpu}.raw`));
      let events = 0;
      while (cursor.next()) {
        events++;
        assert.equal(readNumber(cursor, catalogue.common.type), 30_001);
        assert.equal(readNumber(cursor, catalogue.common.pid), 1111 + cpu);
        assert.equal(readNumber(cursor, vcpuId), cpu);
      }
      assert.deepEqual([events, cursor.status], [5, 'ok']);
    }
  });

  it('injected losses are found before their pages', async () => {
    const layout = await guestLayout();
    const cursor = new PageCursor(layout);
    const lost = [...pagesOf(fixture('lost-injected.raw.gz'), layout.pageBytes)].map((page) => {
      assert.equal(cursor.load(page), 'ok');
      return cursor.header?.lostBefore;
    });
    assert.equal(lost.length, 20);
    assert.deepEqual(
      lost.flatMap((count, page) => (count === undefined ? [] : [[page, count]])),
      [
        [3, 1003n],
        [7, 1007n],
        [11, 1011n],
      ],
    );
  });

  it('sub-buffers of 8 KiB decode by their own header page', () => {
    const layout = parsePageLayout(headerPageText(8192));
    assert.equal(layout.pageBytes, 8192);
    const summary = summarise(pagesOf(fixture('subbuf8k.raw.gz'), layout.pageBytes), layout);
    assert.deepEqual(
      { pages: summary.pages, events: summary.events, malformed: summary.malformed.size },
      { pages: 10, events: 1751, malformed: 0 },
    );
  });

  it('every record type of the format is walked', async () => {
    const layout = await guestLayout();
    const cursor = new PageCursor(layout);
    const seen = [...pagesOf(fixture('synth-types.raw'), layout.pageBytes)].map((page) => {
      const records: string[] = [];
      cursor.load(page);
      while (cursor.next()) records.push(`${cursor.kind} ${cursor.timestamp} ${cursor.dataBytes}`);
      assert.equal(cursor.status, 'ok');
      return records;
    });
    assert.deepEqual(seen, [
      [
        'data 5000000100 56',
        'discarded 5000001100 8',
        'data 5000001110 56',
        'time-extend 10000001110 0',
        'data 10000001117 64',
        'time-stamp 12000000123 0',
        'data 12000000123 56',
        'data 12000000173 64',
      ],
      ['data 1729382269910270464 56', 'time-stamp 1729382270910270464 0', 'data 1729382270910270467 56'],
    ]);
  });
});
