import { maxCpus } from '../../base/cpu-list.ts';
import { ByteReader, TraceFileError } from './read/byte-reader.ts';
import type { ClockQuality } from './clock-quality.ts';
import { ByteWriter } from './write/byte-writer.ts';

/** One measurement of the difference between two clocks. */
export interface ShiftSample {
  /** Time by the file's own clock, in its unit. */
  readonly time: bigint;
  /** Offset to add to the file's times to get the peer's times. */
  readonly offset: bigint;
  /** Times are multiplied by scale / 2^fractionBits before the offset is added; 1 and 0 for clocks of equal rate. */
  readonly scale: bigint;
  readonly fractionBits: bigint;
}

/** How to convert the times of a guest's file to host times: the TIME_SHIFT option of a trace.dat. */
export interface TimeShift {
  /** TRACEID of the host's file. */
  readonly peerId: bigint;
  /** Whether offsets between two samples are interpolated; otherwise the earlier sample's offset holds. */
  readonly interpolates: boolean;
  /** The samples of each CPU. A CPU without samples keeps its times. */
  readonly cpus: readonly (readonly ShiftSample[])[];
  /** How good it is, if known. Not a part of the option: the note of `qualityNote` has it. */
  readonly quality?: ClockQuality;
}

const flagInterpolate = 1;

/** Minimum size of the option; trace-cmd ignores a shorter one. */
const headBytes = 16;
const sampleBytes = 24;

/**
 * Parses the content of the option; undefined if it is too short to have samples, as in trace-cmd. Throws
 * TraceFileError.
 */
export function parseTimeShift(content: Buffer): TimeShift | undefined {
  if (content.length < headBytes) return undefined;
  const reader = ByteReader.ofMemory(content);
  const peerId = reader.u64();
  const flags = reader.u32();
  const count = reader.u32();
  if (count > maxCpus) throw new TraceFileError(`TIME_SHIFT has samples of ${count} CPUs`);
  const cpus: Sample[][] = [];
  for (let cpu = 0; cpu < count; cpu++) cpus.push(readSamples(reader, content.length, cpu));
  // files of older versions of trace-cmd end here
  if (reader.position < content.length)
    for (const samples of cpus) for (const sample of samples) sample.fractionBits = reader.u64();
  return {
    peerId,
    interpolates: (flags & flagInterpolate) !== 0,
    cpus: cpus.map((samples) => inOrder(samples)),
  };
}

interface Sample {
  time: bigint;
  offset: bigint;
  scale: bigint;
  fractionBits: bigint;
}

function readSamples(reader: ByteReader, end: number, cpu: number): Sample[] {
  const count = reader.u32();
  if (count * sampleBytes > end - reader.position)
    throw new TraceFileError(`TIME_SHIFT is too short for the ${count} samples of CPU ${cpu}`);
  const times = Array.from({ length: count }, () => BigInt.asIntN(64, reader.u64()));
  const offsets = times.map(() => BigInt.asIntN(64, reader.u64()));
  const scales = times.map(() => reader.u64());
  return times.map((time, index) => ({
    time,
    offset: offsets[index]!,
    scale: scales[index]!,
    fractionBits: 0n,
  }));
}

/** The samples sorted by time; of several samples with the same time, only the first one is kept. */
function inOrder(samples: readonly ShiftSample[]): ShiftSample[] {
  const sorted = samples.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return sorted.filter(({ time }, index) => time !== sorted[index - 1]?.time);
}

/** The content of the option. */
export function formatTimeShift({ peerId, interpolates, cpus }: TimeShift): Buffer {
  const writer = new ByteWriter()
    .u64(peerId)
    .u32(interpolates ? flagInterpolate : 0)
    .u32(cpus.length);
  for (const samples of cpus) {
    writer.u32(samples.length);
    for (const { time } of samples) writer.u64(BigInt.asUintN(64, time));
    for (const { offset } of samples) writer.u64(BigInt.asUintN(64, offset));
    for (const { scale } of samples) writer.u64(scale);
  }
  for (const samples of cpus) for (const { fractionBits } of samples) writer.u64(fractionBits);
  return writer.finish();
}
