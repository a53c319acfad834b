import type { FileHandle } from 'node:fs/promises';
import { maxCpus } from '../../base/cpu-list.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import type { RingStats } from '../../protocol/control.ts';
import {
  decodeHead,
  type FrameKind,
  frameKinds,
  framesVersion,
  headSize,
  isFramed,
} from '../../protocol/frames.ts';
import { ringSince } from '../recording/ring-stats.ts';
import { PageExtents } from './extents.ts';
import { type Frame, framesOf } from './frames.ts';

/** Limit for page frames; each takes 24 bytes of memory. With frames of 512 KiB this allows 4 TiB. */
const maxFrames = 8 << 20;
/** Limit for the size of a metadata archive. */
const maxArchiveBytes = 64 << 20;
const maxJsonBytes = 4 << 20;
const maxPageBytes = 1 << 20;

/** The contents of a framed stream. */
export interface FramedTrace {
  readonly pageBytes: number;
  /** Pages by CPU, including traced CPUs without pages. */
  readonly cpus: ReadonlyMap<number, PageExtents>;
  /** Gzipped archives; undefined if missing or incomplete. */
  readonly metadata: Buffer | undefined;
  readonly laterMetadata: Buffer | undefined;
  /** Name of the trace clock; null if the stream does not give it. */
  readonly clock: string | null;
  /** Tracefs instance; null for the top level, undefined if the stream does not give it. */
  readonly instance: string | null | undefined;
  /** Totals per ring: bytes the agent read, and the kernel's counts; undefined if the stream has no end record. */
  readonly account: ReadonlyMap<number, CpuAccount> | undefined;
  /** Bytes outside any frame, and whether they begin like another stream. */
  readonly strayBytes: number;
  readonly another: boolean;
}

export interface CpuAccount {
  readonly bytes: number;
  /** Counts of this trace alone; null if the guest did not report them. */
  readonly ring: RingStats | null;
}

/** Whether a file begins like a framed stream. */
export async function isFramedFile(file: FileHandle): Promise<boolean> {
  const head = Buffer.alloc(headSize);
  const { bytesRead } = await file.read(head, 0, headSize, 0);
  return bytesRead === headSize && isFramed(head);
}

/**
 * Indexes a framed stream. It may be cut off anywhere and is untrusted: finds all complete parts and checks every claim
 * against the file. Reads only the headers, and a frame's contents only if it was cut off; reads the whole file if the
 * result is inconsistent. @throws Failure
 */
export async function readFramed(file: FileHandle, path: string, signal?: AbortSignal): Promise<FramedTrace> {
  const start = Buffer.alloc(headSize);
  await file.read(start, 0, headSize, 0);
  const head = decodeHead(start);
  if (head.version !== framesVersion)
    throw refused(path, `its version is ${head.version}; only version ${framesVersion} is supported`);
  if (!isPageSize(head.pageBytes)) throw refused(path, `${head.pageBytes} bytes is not a possible page size`);
  let index = await indexOf(file, head.sync, path, false, signal);
  const isSound = index.strayBytes === 0 && [...index.cpus.values()].every(({ seamless }) => seamless);
  if (!isSound) index = await indexOf(file, head.sync, path, true, signal);
  const { cpus, others, strayBytes, another } = index;
  const about = await readJson(file, others.get(frameKinds.about));
  const end = await readJson(file, others.get(frameKinds.end));
  for (const cpu of cpusOf(about)) if (!cpus.has(cpu)) cpus.set(cpu, new PageExtents());
  return {
    pageBytes: head.pageBytes,
    cpus,
    metadata: await readWhole(file, others.get(frameKinds.metadata), maxArchiveBytes),
    laterMetadata: await readWhole(file, others.get(frameKinds.laterMetadata), maxArchiveBytes),
    clock: clockOf(about),
    instance: instanceOf(about),
    account: accountOf(end),
    strayBytes,
    another,
  };
}

interface StreamIndex {
  readonly cpus: Map<number, PageExtents>;
  /** The last frame of each kind except pages. */
  readonly others: ReadonlyMap<FrameKind, Frame>;
  readonly strayBytes: number;
  readonly another: boolean;
}

/** @throws Failure */
async function indexOf(
  file: FileHandle,
  sync: Uint8Array,
  path: string,
  thorough: boolean,
  signal: AbortSignal | undefined,
): Promise<StreamIndex> {
  const cpus = new Map<number, PageExtents>();
  const others = new Map<FrameKind, Frame>();
  let strayBytes = 0;
  let pageFrames = 0;
  const frames = framesOf(file, sync, headSize, (await file.stat()).size, thorough);
  for (;;) {
    const step = await frames.next();
    signal?.throwIfAborted();
    if (step.done === true)
      return { cpus, others, strayBytes: strayBytes + step.value.strayBytes, another: step.value.another };
    const frame = step.value;
    if (frame.kind !== frameKinds.pages) {
      others.set(frame.kind, frame);
      continue;
    }
    if (++pageFrames > maxFrames) throw refused(path, `it has more than ${maxFrames} frames`);
    const extents = cpus.get(frame.cpu) ?? new PageExtents();
    if (frame.cpu < maxCpus) cpus.set(frame.cpu, extents);
    if (frame.cpu >= maxCpus || !extents.add(frame.position, frame.offset, frame.thereBytes))
      strayBytes += frame.thereBytes;
  }
}

function refused(path: string, why: string): Failure {
  return new Failure(
    exitCode.failed,
    `${path}: cannot read the framed stream: ${why}`,
    'see docs/framed-output.md',
  );
}

function isPageSize(bytes: number): boolean {
  return bytes >= 64 && bytes <= maxPageBytes && (bytes & (bytes - 1)) === 0;
}

/** @returns undefined if the frame is missing, incomplete or too large */
async function readWhole(
  file: FileHandle,
  frame: Frame | undefined,
  maxBytes: number,
): Promise<Buffer | undefined> {
  if (frame === undefined || frame.thereBytes < frame.bytes || frame.bytes > maxBytes) return undefined;
  const content = Buffer.alloc(frame.bytes);
  const { bytesRead } = await file.read(content, 0, content.length, frame.offset);
  return bytesRead === content.length ? content : undefined;
}

async function readJson(file: FileHandle, frame: Frame | undefined): Promise<unknown> {
  const text = await readWhole(file, frame, maxJsonBytes);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    return undefined;
  }
}

function cpusOf(about: unknown): number[] {
  const listed: unknown = isObject(about) ? about['cpus'] : undefined;
  if (!Array.isArray(listed)) return [];
  return listed.filter((cpu): cpu is number => isCount(cpu) && cpu < maxCpus);
}

function clockOf(about: unknown): string | null {
  const clock: unknown = isObject(about) ? about['clock'] : undefined;
  return typeof clock === 'string' && /^[a-z0-9_-]{1,32}$/.test(clock) ? clock : null;
}

function instanceOf(about: unknown): string | null | undefined {
  const instance: unknown = isObject(about) ? about['instance'] : undefined;
  return instance === null || typeof instance === 'string' ? instance : undefined;
}

function accountOf(end: unknown): ReadonlyMap<number, CpuAccount> | undefined {
  const cpus: unknown = isObject(end) ? end['cpus'] : undefined;
  if (!isObject(cpus)) return undefined;
  const account = new Map<number, CpuAccount>();
  for (const [name, said] of Object.entries(cpus)) {
    if (!/^\d{1,5}$/.test(name) || Number(name) >= maxCpus || !isObject(said)) continue;
    const { bytes, ring, ringBefore } = said;
    if (!isCount(bytes)) continue;
    const since = isRing(ring) ? ringSince(ring, isRing(ringBefore) ? ringBefore : undefined) : null;
    account.set(Number(name), { bytes, ring: since });
  }
  return account;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

const counts = ['entries', 'overrun', 'commitOverrun', 'bytes', 'droppedEvents', 'readEvents'] as const;

function isRing(value: unknown): value is RingStats {
  return isObject(value) && counts.every((name) => isCount(value[name]));
}
