import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import { type ClockPiece, qualityOf } from '../dat/clock-quality.ts';
import type { TimeShift } from '../dat/time-shift.ts';

/** In the recording of a guest: readings of its clock between two of the host's, a line for each. */
export const pingsFile = 'pings';
/** In the recording of a guest: how to convert its times to host times. */
export const alignmentFile = 'alignment.json';

const maxFileBytes = 64 << 20;
const alignmentVersion = 1;

/**
 * A reading of the guest's trace clock between two readings of the host's, in nanoseconds; with clock x86-tsc, in
 * cycles.
 */
export interface ClockPing {
  readonly hostBefore: bigint;
  readonly guest: bigint;
  readonly hostAfter: bigint;
}

/** How to convert a guest's times to host times. With clock x86-tsc, all times and bounds are cycles. */
export interface RecordedAlignment {
  /** Trace id of the host's file. */
  readonly peerId: bigint;
  /** The stretches between jumps of the clocks, in the order of the guest's time. */
  readonly pieces: readonly ClockPiece[];
  /** At least one sample; between two samples, the difference of the clocks is linear. */
  readonly samples: readonly ClockSample[];
}

export interface ClockSample {
  readonly guest: bigint;
  readonly host: bigint;
}

export function formatPing({ hostBefore, guest, hostAfter }: ClockPing): string {
  return `${hostBefore} ${guest} ${hostAfter}\n`;
}

/** The pings of a guest's recording; none if it has no such file. A cut-off last line is ignored. Throws Failure. */
export function readPings(dir: string): ClockPing[] {
  const text = textOf(join(dir, pingsFile));
  const pings: ClockPing[] = [];
  for (const line of text?.split('\n').slice(0, -1) ?? []) {
    const [, hostBefore, guest, hostAfter] = /^(\d{1,19}) (\d{1,19}) (\d{1,19})$/.exec(line) ?? [];
    if (hostBefore === undefined) throw bad(join(dir, pingsFile), 'a line does not have three times');
    pings.push({ hostBefore: BigInt(hostBefore), guest: BigInt(guest!), hostAfter: BigInt(hostAfter!) });
  }
  return pings;
}

export function formatAlignment({ peerId, pieces, samples }: RecordedAlignment): string {
  return `${JSON.stringify({ version: alignmentVersion, peerId, pieces, samples }, asText, 2)}\n`;
}

function asText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** The alignment of a guest's recording; undefined if it has none. Throws Failure. */
export function readAlignment(dir: string): RecordedAlignment | undefined {
  const path = join(dir, alignmentFile);
  const text = textOf(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isObject(value) || value['version'] !== alignmentVersion)
    throw bad(path, `not a JSON object of version ${alignmentVersion}`);
  const { peerId, pieces, samples } = value;
  if (!isTime(peerId) || !Array.isArray(pieces) || !Array.isArray(samples))
    throw bad(path, 'peerId, pieces or samples are missing');
  return { peerId: BigInt(peerId), pieces: pieces.map(pieceOf), samples: samples.map(sampleOf) };

  function pieceOf(piece: unknown): ClockPiece {
    if (!isObject(piece)) throw bad(path, 'a piece is not an object');
    const {
      guestFrom,
      guestTo,
      offsetNs,
      ratePpm,
      boundNs,
      medianBoundNs,
      methods,
      samples: used,
      violations,
    } = piece;
    if (!isTime(guestFrom) || !isTime(guestTo) || !isTime(offsetNs))
      throw bad(path, 'a piece has a wrong time');
    if (
      !isNumber(ratePpm) ||
      !isNumber(boundNs) ||
      !isNumber(medianBoundNs) ||
      !isNumber(used) ||
      !isNumber(violations)
    )
      throw bad(path, 'a piece has a wrong number');
    if (!isMethods(methods)) throw bad(path, 'methods is not a list of names');
    return {
      guestFrom: BigInt(guestFrom),
      guestTo: BigInt(guestTo),
      offsetNs: BigInt(offsetNs),
      ratePpm,
      boundNs,
      medianBoundNs,
      methods,
      samples: used,
      violations,
    };
  }

  function sampleOf(sample: unknown): ClockSample {
    if (!isObject(sample) || !isTime(sample['guest']) || !isTime(sample['host']))
      throw bad(path, 'a sample has a wrong time');
    return { guest: BigInt(sample['guest']), host: BigInt(sample['host']) };
  }
}

/** The alignment as stored in a trace.dat, the same for all CPUs. */
export function timeShiftOf({ peerId, pieces, samples }: RecordedAlignment, cpuCount: number): TimeShift {
  const list = samples.map(({ guest, host }) => ({
    time: guest,
    offset: host - guest,
    scale: 1n,
    fractionBits: 0n,
  }));
  const cpus = Array.from({ length: cpuCount }, () => list);
  return { peerId, interpolates: true, cpus, quality: qualityOf(pieces) };
}

/** The text of a file; undefined if there is no such file. */
function textOf(path: string): string | undefined {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > maxFileBytes) throw bad(path, `larger than ${maxFileBytes} bytes`);
    return bytes.toString('latin1');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (error instanceof Failure || errorCode(error) === '') throw error;
    throw bad(path, `cannot read it: ${errorCode(error)}`);
  }
}

/** Few enough, and short enough, for the note that states them in a trace.dat. */
function isMethods(value: unknown): value is string[] {
  const isName = (name: unknown): boolean => typeof name === 'string' && /^[a-z-]{1,20}$/.test(name);
  return Array.isArray(value) && value.length <= 6 && value.every(isName);
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function bad(path: string, what: string): Failure {
  return new Failure(exitCode.failed, `${path}: ${what}`, 'remove it: the times are then those of the guest');
}
