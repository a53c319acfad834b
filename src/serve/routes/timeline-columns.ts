import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '../../base/json-type.ts';
import { Problem } from '../http/problem.ts';

const maxAnswerBytes = 64 << 20;
/** The chunks of the timelines asked for last, by directory. */
const known = new Map<string, Promise<unknown>>();
const keptTimelines = 2;

/**
 * The chunks of a row and level that a span of time touches, one after the other. `trace-host timeline` wrote them, and
 * describes where they are. @throws Problem 404, 422
 */
export async function columnsOf(
  dir: string,
  row: number,
  level: number,
  from: number,
  to: number,
): Promise<Buffer> {
  const rows = await chunksOf(dir);
  const levels: unknown = Array.isArray(rows) ? rows[row] : undefined;
  const chunks: unknown = Array.isArray(levels) ? levels[level] : undefined;
  if (!isObject(chunks)) throw new Problem(404, 'there is no such row or level');
  const offsets = numbers(chunks['offset']);
  const sizes = numbers(chunks['bytes']);
  const begins = numbers(chunks['from']);
  const ends = numbers(chunks['to']);
  const wanted = offsets.flatMap((offset, index) => {
    const bytes = sizes[index] ?? 0;
    return (begins[index] ?? 0) <= to && (ends[index] ?? 0) >= from ? [{ offset, bytes }] : [];
  });
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > maxAnswerBytes)
    throw new Problem(422, 'too many slices', 'ask for less time, or a higher level');
  const file = await open(join(dir, 'columns.bin'));
  try {
    const all = Buffer.alloc(total);
    let at = 0;
    for (const { offset, bytes } of wanted) {
      await file.read(all, at, bytes, offset);
      at += bytes;
    }
    return all;
  } finally {
    await file.close();
  }
}

function chunksOf(dir: string): Promise<unknown> {
  let chunks = known.get(dir);
  known.delete(dir);
  chunks ??= readFile(join(dir, 'chunks.json'), 'utf8').then((text): unknown => JSON.parse(text));
  chunks.catch(() => known.delete(dir));
  known.set(dir, chunks);
  for (const [oldest] of known) if (known.size > keptTimelines) known.delete(oldest);
  return chunks;
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'number') : [];
}
