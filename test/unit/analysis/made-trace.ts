import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packContents } from '../../../src/host/metadata/pack.ts';
import { formatRecording, type Recording } from '../../../src/trace/recording/recording-format.ts';
import { PageWriter } from '../../simulator/session/trace/page-writer.ts';
import {
  commBytes,
  type EventType,
  eventTypes,
  fillCommon,
  fillIrqEntry,
  fillKvmEntry,
  fillKvmExit,
  fillSwitch,
  fillTask,
  irqEntryBytes,
  type NamedTask,
  type RecordSpace,
} from '../../simulator/session/trace/records.ts';
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

export function kvmEntryData(tid: number, vcpu: number): Uint8Array {
  const space = record(eventTypes.kvmEntry, tid);
  fillKvmEntry(space, 0, vcpu);
  return space.data;
}

export function kvmExitData(tid: number, vcpu: number, reason: number): Uint8Array {
  const space = record(eventTypes.kvmExit, tid);
  fillKvmExit(space, 0, vcpu, reason);
  return space.data;
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
  about: Partial<Recording>,
  metadata = fixture('A/meta.tar.gz', 'packed'),
): void {
  const cpus = [...new Set(events.map(({ cpu }) => cpu))];
  const pages = cpus.map((cpu) => [cpu, pagesOf(events.filter((event) => event.cpu === cpu))] as const);
  writePages(dir, pages, about, metadata);
}

/** Writes a recording's directory. @param pages by CPU @param about what `recording.json` says besides the usual */
export function writePages(
  dir: string,
  pages: Iterable<readonly [cpu: number, pages: Uint8Array]>,
  about: Partial<Recording>,
  metadata: Uint8Array,
): void {
  const all = [...pages];
  mkdirSync(dir);
  writeRaws(dir, Object.fromEntries(all));
  writeFileSync(join(dir, 'metadata.tar.gz'), metadata);
  const cpus = all.map(([cpu, { length }]) => ({ cpu, bytes: length, ring: null }));
  writeFileSync(join(dir, 'recording.json'), formatRecording({ ...recording, cpus, ...about }));
}

/** What of A's metadata the made events need: to read all of it takes longer than a test. */
export async function neededContents(): Promise<Map<string, Buffer>> {
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
  writeRecording(dir, events, { clock }, await metadata);
  return dir;
}
