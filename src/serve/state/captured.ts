import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from '../../base/json-type.ts';
import { isId } from './ids.ts';
import type { RecordingView } from './views.ts';

/** What a watch captured: files in its directory, with one that says why. */
export interface CapturedFolder {
  readonly view: RecordingView;
  readonly dir: string;
  /** All of its files, names in `dir`. */
  readonly files: readonly string[];
}

const maxWhyBytes = 1 << 20;
const maxCaptures = 10_000;
const whySuffix = '.why.json';

/** What the watches of a data directory have captured; names that lead out of the directory are ignored. */
export function capturedIn(watchesDir: string): CapturedFolder[] {
  const found: CapturedFolder[] = [];
  for (const watch of namesIn(watchesDir).filter(isId)) {
    const dir = join(watchesDir, watch, 'captures');
    for (const name of namesIn(dir)) {
      if (!name.endsWith(whySuffix) || found.length >= maxCaptures) continue;
      const captured = read(dir, watch, name);
      if (captured !== undefined) found.push(captured);
    }
  }
  return found;
}

function read(dir: string, watch: string, name: string): CapturedFolder | undefined {
  let why: unknown;
  let createdAt: string;
  try {
    const { size, mtime } = statSync(join(dir, name));
    if (size > maxWhyBytes) return undefined;
    createdAt = mtime.toISOString();
    why = JSON.parse(readFileSync(join(dir, name), 'utf8'));
  } catch {
    return undefined;
  }
  if (!isObject(why)) return undefined;
  const listed: readonly unknown[] = Array.isArray(why['files']) ? why['files'] : [];
  const machines = listed.flatMap((each) => {
    const file = isObject(each) ? each['file'] : each;
    if (typeof file !== 'string') return [];
    const base = file.slice(file.lastIndexOf('/') + 1);
    if (!/^[\w][\w.:+-]*$/.test(base)) return [];
    const given = isObject(each) ? each['guest'] : undefined;
    const host = isObject(each) ? each['host'] === true : base.endsWith('-host.dat');
    const guest = typeof given === 'string' ? given : text(why['guest']);
    return [{ name: host ? null : guest, host, file: base, bytes: sizeOf(join(dir, base)), cpus: 0 }];
  });
  const id = createHash('sha256').update(`${watch}/${name}`).digest('hex').slice(0, 24);
  const view: RecordingView = {
    id: `c-${id}`,
    createdAt: typeof why['at'] === 'string' ? why['at'].slice(0, 64) : createdAt,
    state: 'done',
    bytes: machines.reduce((sum, machine) => sum + machine.bytes, 0),
    spanNs: Math.max(0, number(why['spanMs'])) * 1e6,
    lostBytes: number(why['lostBytes'] ?? why['lost']),
    overrun: number(why['overrun']),
    why: { reason: text(why['reason']), text: text(why['text']) },
    machines,
    whole: machines.length > 0 && machines.every(({ file }) => file.endsWith('.dat')),
    error: null,
  };
  return { view, dir, files: [name, ...machines.map(({ file }) => file)] };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 4096) : '';
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** Size of a file in bytes; 0 if there is none. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
