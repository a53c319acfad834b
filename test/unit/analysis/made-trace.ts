import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { packContents } from '../../../src/host/metadata/pack.ts';
import { formatRecording } from '../../../src/trace/recording/recording-format.ts';
import { PageWriter } from '../../simulator/session/trace/page-writer.ts';
import {
  commBytes,
  type EventType,
  eventTypes,
  fillCommon,
  fillIrqEntry,
  fillSwitch,
  fillTask,
  irqEntryBytes,
  type NamedTask,
  type RecordSpace,
} from '../../simulator/session/trace/records.ts';
import { fixture } from '../trace/fixtures.ts';
import { recording, sampleContents, scratchDir, writeRaws } from '../trace/samples.ts';

/** An event to put into a ring; the ids and offsets are those of the formats of A. */
export interface MadeEvent {
  readonly cpu: number;
  readonly ns: number;
  readonly pid: number;
  readonly data: Uint8Array;
  /** Events lost before it: it begins a page. */
  readonly lost?: number;
}

function record(
  { id, bytes }: EventType,
  pid: number,
  length = bytes,
): RecordSpace & { readonly data: Uint8Array } {
  const data = new Uint8Array(length);
  const space = {
    data,
    view: new DataView(data.buffer),
    put: (at: number, bytes: Uint8Array): void => data.set(bytes, at),
  };
  fillCommon(space, 0, id, 0, pid);
  return space;
}

export function taskName(pid: number): string {
  return pid === 0 ? 'swapper' : `task-${pid}`;
}

function taskOf(pid: number): NamedTask {
  return { tid: pid, prio: 0, commBytes: commBytes(taskName(pid)) };
}

export function switchData(prev: number, state: bigint, next: number): Uint8Array {
  const space = record(eventTypes.switch, prev);
  fillSwitch(space, 0, taskOf(prev), state, taskOf(next));
  return space.data;
}

export function wakeData(kind: 'waking' | 'wakeup', by: number, pid: number): Uint8Array {
  const space = record(eventTypes[kind], by);
  fillTask(space, 0, taskOf(pid));
  return space.data;
}

export function irqEntryData(by: number, irq: number, handler: string): Uint8Array {
  const text = Buffer.from(`${handler}\0`);
  const bytes = irqEntryBytes(text);
  const space = record(eventTypes.irqEntry, by, bytes);
  // what follows the NUL is whatever was in the ring
  space.data.fill(0x78 + (by % 2), 16);
  fillIrqEntry(space, 0, irq, text, bytes);
  return space.data;
}

export function interruptData(
  kind: 'irqExit' | 'softirqEntry' | 'softirqExit',
  by: number,
  number: number,
): Uint8Array {
  const { data, view } = record(eventTypes[kind], by);
  view.setInt32(8, number, true);
  return data;
}

/** The pages of a CPU's events. */
export function pagesOf(events: readonly MadeEvent[]): Uint8Array {
  const pages = new PageWriter();
  for (const { ns, data, lost } of events) pages.put(pages.reserve(ns, data.length, lost), data);
  return pages.end();
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

let packed: Promise<Buffer> | undefined;

/** What of A's metadata the made events need: to read all of it takes longer than a test. */
export async function neededContents(): Promise<Map<string, Buffer>> {
  const needed = /^(?:events\/(?:header_|ftrace\/|sched\/|irq\/)|(?!events\/|kallsyms$))/;
  return new Map([...(await sampleContents('A'))].filter(([path]) => needed.test(path)));
}

/** A recording's directory that is gone after the test. */
export async function madeRecording(
  test: TestContext,
  events: readonly MadeEvent[],
  clock = 'global',
): Promise<string> {
  packed ??= neededContents().then(packContents);
  const dir = join(scratchDir(test), 'made.recording');
  writeRecording(dir, events, clock, await packed);
  return dir;
}
