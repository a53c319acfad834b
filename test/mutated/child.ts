import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bases, writeBase } from './bases.ts';
import { mutated } from './mutation.ts';
import { Random } from './random.ts';
import { readInTurn } from './read.ts';

/** What a child says of one mutation; `error`: it was not answered as it should. */
export interface Said {
  readonly index: number;
  readonly outcome: 'begin' | 'read' | 'refused' | 'error';
  readonly error?: string;
}

/** Limits for one mutation. CPU time: other processes must not matter. */
const maxCpuMs = 2000;
const maxResidentBytes = 900 << 20;
const maxOutputBytes = 256 << 20;

const [seed = '', first = '', end = '', step = '', dir = ''] = process.argv.slice(2);

function say(said: Said): Promise<void> {
  return new Promise((resolve) => void process.send!(said, () => resolve()));
}

async function run(index: number, all: Awaited<ReturnType<typeof bases>>): Promise<void> {
  const random = new Random(Number(seed) * 1_000_003 + index);
  const base = all[index % all.length]!;
  const { name, bytes } = mutated(base, random);
  const input = join(dir, 'in');
  mkdirSync(input, { recursive: true });
  const path = writeBase(input, base, name, bytes);
  const before = process.cpuUsage();
  let outcome: Said['outcome'] = 'read';
  const faults: string[] = [];
  try {
    const size = await readInTurn(path, Math.floor(index / all.length), join(dir, 'out'));
    if (size === undefined) outcome = 'refused';
    else if (size > maxOutputBytes) faults.push(`wrote ${size} bytes`);
  } catch (error) {
    faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  if (ms > maxCpuMs) faults.push(`took ${Math.round(ms)} ms`);
  const resident = process.memoryUsage.rss();
  if (resident > maxResidentBytes) faults.push(`needs ${resident >> 20} MiB`);
  if (faults.length > 0) await say({ index, outcome: 'error', error: `${base.name}: ${faults.join('; ')}` });
  else await say({ index, outcome });
  // a fresh process for the next one, whose memory must not be blamed on it
  if (resident > maxResidentBytes) process.exit(0);
}

const all = await bases();
for (let index = Number(first); index < Number(end); index += Number(step)) {
  await say({ index, outcome: 'begin' });
  await run(index, all);
}
process.disconnect();
