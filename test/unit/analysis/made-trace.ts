import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packContents } from '../../../src/host/metadata/pack.ts';
import { formatRecording } from '../../../src/trace/recording/recording-format.ts';
import { fixture } from '../trace/fixtures.ts';
import { type Cleanups, recording, sampleContents, scratchDir, writeRaws } from '../trace/samples.ts';

/** An event to put into a ring; the ids and offsets are those of the formats of A. */
export interface MadeEvent {
  readonly cpu: number;
  readonly ns: number;
  readonly pid: number;
  readonly data: Uint8Array;
  /** Events lost before it: it begins a page. */
  readonly lost?: number;
}

const ids = {
  switch: 319,
  wakeup: 321,
  waking: 322,
  irqEntry: 152,
  irqExit: 151,
  softirqEntry: 150,
  softirqExit: 149,
};

function record(bytes: number, id: number, pid: number): { data: Uint8Array; view: DataView } {
  const data = new Uint8Array(bytes);
  const view = new DataView(data.buffer);
  view.setUint16(0, id, true);
  view.setInt32(4, pid, true);
  return { data, view };
}

function name(data: Uint8Array, at: number, text: string): void {
  data.set(Buffer.from(text).subarray(0, 15), at);
}

export function taskName(pid: number): string {
  return pid === 0 ? 'swapper' : `task-${pid}`;
}

export function switchData(prev: number, state: bigint, next: number): Uint8Array {
  const { data, view } = record(64, ids.switch, prev);
  name(data, 8, taskName(prev));
  view.setInt32(24, prev, true);
  view.setBigInt64(32, state, true);
  name(data, 40, taskName(next));
  view.setInt32(56, next, true);
  return data;
}

export function wakeData(kind: 'waking' | 'wakeup', by: number, pid: number): Uint8Array {
  const { data, view } = record(36, ids[kind], by);
  name(data, 8, taskName(pid));
  view.setInt32(24, pid, true);
  return data;
}

export function irqEntryData(by: number, irq: number, handler: string): Uint8Array {
  const text = Buffer.from(`${handler}\0`);
  const { data, view } = record(16 + Math.ceil(text.length / 4) * 4, ids.irqEntry, by);
  view.setInt32(8, irq, true);
  view.setUint32(12, 16 | ((data.length - 16) << 16), true);
  // what follows the NUL is whatever was in the ring
  data.fill(0x78 + (by % 2), 16);
  data.set(text, 16);
  return data;
}

export function interruptData(
  kind: 'irqExit' | 'softirqEntry' | 'softirqExit',
  by: number,
  number: number,
): Uint8Array {
  const { data, view } = record(kind === 'irqExit' ? 16 : 12, ids[kind], by);
  view.setInt32(8, number, true);
  return data;
}

const pageBytes = 4096;
const headBytes = 16;
/** RINGBUF_TYPE_DATA_TYPE_LEN_MAX words. */
const longestShort = 28 * 4;
/** RB_MISSED_EVENTS and RB_MISSED_STORED of ring_buffer.c: the count follows the data. */
const missed = (1n << 31n) | (1n << 30n);

/** The pages of a CPU's events. */
export function pagesOf(events: readonly MadeEvent[]): Uint8Array {
  const pages: Uint8Array[] = [];
  let at = pageBytes;
  let view = new DataView(new ArrayBuffer(0));
  let lost = 0;
  let last = 0;
  const close = (): void => {
    if (pages.length === 0) return;
    view.setBigUint64(8, BigInt(at - headBytes) | (lost > 0 ? missed : 0n), true);
    if (lost > 0) view.setBigUint64(at, BigInt(lost), true);
  };
  for (const event of events) {
    const { length } = event.data;
    // a long record has its length in a word of its own
    const isLong = length > longestShort;
    const recordHeadBytes = isLong ? 8 : 4;
    // room for the count of lost events
    if (
      at + recordHeadBytes + length + 8 > pageBytes ||
      event.lost !== undefined ||
      event.ns - last >= 1 << 27
    ) {
      close();
      const page = new Uint8Array(pageBytes);
      view = new DataView(page.buffer);
      pages.push(page);
      view.setBigUint64(0, BigInt(event.ns), true);
      at = headBytes;
      last = event.ns;
      lost = event.lost ?? 0;
    }
    view.setUint32(at, (isLong ? 0 : length / 4) | ((event.ns - last) << 5), true);
    if (isLong) view.setUint32(at + 4, length + 4, true);
    pages.at(-1)!.set(event.data, at + recordHeadBytes);
    at += recordHeadBytes + length;
    last = event.ns;
  }
  close();
  return Buffer.concat(pages);
}

/** Writes a recording's directory with these events, which are in the order of their times. */
export function writeRecording(
  dir: string,
  events: readonly MadeEvent[],
  clock: string,
  metadata = fixture('A/meta.tar.gz', 'packed'),
): void {
  mkdirSync(dir);
  const cpus = [...new Set(events.map(({ cpu }) => cpu))];
  writeRaws(
    dir,
    Object.fromEntries(cpus.map((cpu) => [cpu, pagesOf(events.filter((event) => event.cpu === cpu))])),
  );
  writeFileSync(join(dir, 'metadata.tar.gz'), metadata);
  const about = { ...recording, clock, cpus: cpus.map((cpu) => ({ cpu, bytes: 0, ring: null })) };
  writeFileSync(join(dir, 'recording.json'), formatRecording(about));
}

/** What of A's metadata the made events need: to read all of it takes longer than a test. */
async function neededContents(): Promise<Map<string, Buffer>> {
  const needed = /^(?:events\/(?:header_|ftrace\/|sched\/|irq\/)|(?!events\/|kallsyms$))/;
  return new Map([...(await sampleContents('A'))].filter(([path]) => needed.test(path)));
}

let packed: Promise<Buffer> | undefined;

/** A recording's directory that is gone after the test. @param more texts that A's metadata does not have, by path */
export async function madeRecording(
  test: Cleanups,
  events: readonly MadeEvent[],
  clock = 'global',
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const added = Object.entries(more).map(([path, text]) => [path, Buffer.from(text)] as const);
  packed ??= neededContents().then(packContents);
  const metadata =
    added.length === 0 ? packed : packContents(new Map([...(await neededContents()), ...added]));
  const dir = join(scratchDir(test), 'made.recording');
  writeRecording(dir, events, clock, await metadata);
  return dir;
}
