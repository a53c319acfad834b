import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { convert } from '../src/trace/convert/convert.ts';
import { readMetadataFile } from '../src/trace/metadata/guest-metadata.ts';
import type { Benchmark } from './benchmark.ts';
import { median } from './measure/median.ts';
import { alternate } from './measure/rounds.ts';

const fixtures = fileURLToPath(new URL('../../test/fixtures/A/', import.meta.url));
const collectChild = fileURLToPath(new URL('measure/collect-child.js', import.meta.url));

/** The host's side: cost of moving pages from a FIFO into a file, and of converting a file to a trace.dat. */
export const collect: Benchmark = {
  name: 'collect',
  on: ['native'],
  async run({ extent: { small, rounds }, say }) {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-collect-'));
    try {
      const raw = join(dir, 'cpu0.raw');
      const bytes = writeRaw(raw, small ? 16 << 20 : 1 << 30);
      const sides = [
        { name: 'cat FIFO > file', measure: () => collected(dir, raw, bytes, 'cat') },
        { name: 'trace-host', measure: () => collected(dir, raw, bytes, 'trace-host') },
        { name: 'cp', measure: () => Promise.resolve(copied(dir, raw)) },
        { name: 'convert', measure: () => converted(dir, raw) },
      ];
      const values = await alternate(sides, rounds, async (side) => {
        const value = await side.measure();
        say(`${side.name}: ${value.toFixed(3)} s`);
        return value;
      });
      const perGb = (name: string): number =>
        (median(values.get(sides.find((side) => side.name === name)!) ?? []) * 1e9) / bytes;
      const row = (name: string, what: string, base: string) => ({
        side: name,
        what,
        's/GB': perGb(name),
        ratio: perGb(name) / perGb(base),
      });
      return {
        name: 'collect native',
        title: `from FIFO to file, and from file to trace.dat, ${bytes} bytes`,
        columns: ['side', 'what', 's/GB', 'ratio'],
        rows: [
          row('cat FIFO > file', 'CPU', 'cat FIFO > file'),
          row('trace-host', 'CPU', 'cat FIFO > file'),
          row('cp', 'time', 'cp'),
          row('convert', 'time', 'cp'),
        ],
      };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

/** Writes recorded pages repeatedly. @returns bytes written */
function writeRaw(path: string, atLeast: number): number {
  const pages = gunzipSync(readFileSync(join(fixtures, 'cpu0.raw.gz')));
  const fd = openSync(path, 'wx');
  let bytes = 0;
  while (bytes < atLeast) bytes += writeSync(fd, pages);
  return bytes;
}

/** @returns CPU seconds of the collector */
async function collected(
  dir: string,
  raw: string,
  bytes: number,
  side: 'cat' | 'trace-host',
): Promise<number> {
  const fifo = join(dir, 'fifo');
  const out = join(dir, 'out.raw');
  rmSync(fifo, { force: true });
  rmSync(out, { force: true });
  execFileSync('mkfifo', [fifo]);
  // `times` of the shell: its children's user and system time
  const child =
    side === 'cat'
      ? spawn('sh', ['-c', 'echo open; cat "$0" > "$1"; times', fifo, out])
      : spawn(process.execPath, [collectChild, fifo, out, String(bytes)]);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(child.stdout, 'data');
  const writer = spawn('sh', ['-c', 'cat "$0" > "$1"', raw, fifo]);
  await Promise.all([once(child, 'close'), once(writer, 'close')]);
  const last = said.trim().split('\n').at(-1) ?? '';
  if (side === 'trace-host') return Number(last);
  return [...last.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
    0,
  );
}

/** Copies with cp(1), because Node's own copy takes three times as long. @returns seconds */
function copied(dir: string, raw: string): number {
  const out = join(dir, 'copy.raw');
  rmSync(out, { force: true });
  const fromMs = performance.now();
  execFileSync('cp', [raw, out]);
  const seconds = (performance.now() - fromMs) / 1000;
  rmSync(out);
  return seconds;
}

/** @returns seconds */
async function converted(dir: string, raw: string): Promise<number> {
  const out = join(dir, 'trace.dat');
  const metadata = await readMetadataFile(join(fixtures, 'meta.tar.gz'));
  const { seconds } = await convert({ cpus: new Map([[0, raw]]), metadata, out });
  rmSync(out);
  return seconds;
}
