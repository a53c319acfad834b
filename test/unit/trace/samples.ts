import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { convert } from '../../../src/trace/convert/convert.ts';
import { readMetadataArchive } from '../../../src/trace/metadata/archive.ts';
import { parseMetadata, type GuestMetadata } from '../../../src/trace/metadata/guest-metadata.ts';
import { formatRecording, type Recording } from '../../../src/trace/recording/recording-format.ts';
import { fixture } from './fixtures.ts';

export type Sample = 'A' | 'B';

/** A test, or a benchmark, that cleans up at its end. */
export interface Cleanups {
  after(cleanup: () => void): void;
}

/** A directory that is removed after the test. */
export function scratchDir(test: Cleanups): string {
  const dir = mkdtempSync(join(tmpdir(), 'trace-dat-test-'));
  test.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const archives = { A: 'A/meta.tar', B: 'B/meta-no-events-no-kallsyms.tar' } as const;
const contents = new Map<Sample, Promise<Map<string, Buffer>>>();

/** The texts of a sample's guest by name; B's has the formats of A, and no symbols. */
export async function sampleContents(sample: Sample): Promise<Map<string, Buffer>> {
  let own = contents.get(sample);
  own ??= readMetadataArchive([fixture(`${archives[sample]}.gz`, 'packed')]);
  contents.set(sample, own);
  if (sample === 'A') return own;
  const formats = [...(await sampleContents('A'))].filter(([name]) => name.startsWith('events/'));
  return new Map([...formats, ...(await own)]);
}

export async function sampleMetadata(sample: Sample): Promise<GuestMetadata> {
  return parseMetadata(await sampleContents(sample));
}

/** Writes pages as CPU files into `dir`; returns the paths by CPU. */
export function writeRaws(dir: string, pages: Readonly<Record<number, Uint8Array>>): Map<number, string> {
  const paths = new Map<number, string>();
  for (const [cpu, bytes] of Object.entries(pages)) {
    const path = join(dir, `cpu${cpu}.raw`);
    writeFileSync(path, bytes);
    paths.set(Number(cpu), path);
  }
  return paths;
}

export function samplePages(sample: Sample): Record<number, Uint8Array> {
  return { 0: fixture(`${sample}/cpu0.raw.gz`), 1: fixture(`${sample}/cpu1.raw.gz`) };
}

/** The contents of `recording.json` in A's directory. */
export const recording: Recording = {
  version: 1,
  guest: 'A',
  cpus: [
    { cpu: 0, bytes: 0, ring: null },
    { cpu: 1, bytes: 0, ring: null },
  ],
  pageBytes: 4096,
  clock: 'global',
  startedAt: '2026-11-24T06:00:00.000Z',
  endedAt: null,
  agentVersion: '0.1.0',
  hostKernel: '6.1.0',
  events: ['sched', 'irq:irq_handler_entry'],
};

/** A recording directory of A, as left by a recording that was killed. */
export function recordingDir(test: TestContext): string {
  const dir = join(scratchDir(test), 'recording');
  mkdirSync(dir);
  writeRaws(dir, samplePages('A'));
  writeFileSync(join(dir, 'metadata.tar.gz'), fixture('A/meta.tar.gz', 'packed'));
  writeFileSync(join(dir, 'recording.json'), formatRecording(recording));
  return dir;
}

/**
 * Files of a host and two guests: the same pages, the guests' clocks behind the host's by 5 and 10 ms. @returns
 * the path of the host's
 * @param tids threads of the two vCPUs of each guest; by default the host's trace has none of them
 */
export async function sessionFiles(
  test: TestContext,
  tids: readonly (readonly [number, number])[] = [
    [100, 101],
    [110, 111],
  ],
): Promise<string> {
  const dir = scratchDir(test);
  const metadata = await sampleMetadata('A');
  const cpus = writeRaws(
    dir,
    Object.fromEntries(
      Object.entries(samplePages('A')).map(([cpu, pages]) => [cpu, pages.slice(0, 40 * 4096)]),
    ),
  );
  const guests = ['web', 'db'].map((name, index) => ({
    name,
    traceId: BigInt(21 + index),
    vcpuTids: new Map(tids[index]!.entries()),
  }));
  const host = join(dir, 's.dat');
  await convert({ cpus, metadata, out: host, traceId: 11n, guests });
  for (const [index, { name, traceId }] of guests.entries()) {
    const sample = { time: 0n, offset: 5_000_000n * BigInt(index + 1), scale: 1n, fractionBits: 0n };
    const timeShift = { peerId: 11n, interpolates: true, cpus: [[sample], [sample]] };
    await convert({ cpus, metadata, out: join(dir, `s-${name}.dat`), traceId, timeShift });
  }
  return host;
}
