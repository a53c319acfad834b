import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

const pageBytes = 4096;
/** The default size of a pipe: 16 pages. */
const minPipeBytes = 64 * 1024;
/** The default of /proc/sys/fs/pipe-max-size, the limit for unprivileged users. */
const maxPipeBytes = 1024 * 1024;

/** Parses a pipe size in bytes, or with a K or M suffix; rounds down to 4096-byte pages. Throws Failure (usage). */
export function parsePipeBytes(text: string, name: string): number {
  const match = /^(\d+)([kKmM]?)$/.exec(text.trim());
  const remedy = 'use a size from 64K to 1M, e.g. 512K';
  if (match === null) throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is not a size`, remedy);
  const unitBytes = { '': 1, k: 1024, m: 1024 * 1024 }[(match[2] ?? '').toLowerCase()] ?? 1;
  const bytes = Number(match[1]) * unitBytes;
  if (bytes < minPipeBytes || bytes > maxPipeBytes) {
    const side = bytes < minPipeBytes ? 'below 64K' : 'above 1M';
    throw new Failure(exitCode.usage, `${name}: a pipe of ${quoted(text)} is ${side}`, remedy);
  }
  return bytes - (bytes % pageBytes);
}

const byteUnits: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Parses a number of bytes, with an optional suffix K, M, G or T. Throws Failure (usage). */
export function parseBytes(text: string, name: string): number {
  const match = /^(\d+)([kKmMgGtT]?)$/.exec(text.trim());
  const bytes = Number(match?.[1]) * (byteUnits[(match?.[2] ?? '').toLowerCase()] ?? 1);
  if (match !== null && bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is not a size`, 'use e.g. 500M or 10G');
}
