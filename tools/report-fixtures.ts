/**
 * Makes test/fixtures/report again: small traces of guests, and what trace-cmd report prints of them with each option.
 *
 *     node dist/tools/report-fixtures.js                records guests, trims the recordings, asks trace-cmd
 *     node dist/tools/report-fixtures.js --from DIR     the same with recordings made before: DIR/NAME.dat
 *     node dist/tools/report-fixtures.js --texts        asks trace-cmd only
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kinds, oddPrintk, ReportGuest } from '../test/guest/support/report-guest.ts';
import { printed, traceCmd } from '../test/report/compare.ts';
import { optionsOf, packTexts, reportFixtures } from '../test/report/fixtures.ts';
import { repoRoot } from '../test/repo-root.ts';
import { trim } from './report/trim.ts';

const newerKernel = 'linux-image-6.12-amd64';
const dir = join(repoRoot, 'test/fixtures/report');

/** Recordings, and how many pages of them are kept. */
const recordings: Record<string, { readonly pages: number; readonly from?: number }> = {
  'guest-events': { pages: 40 },
  'guest612-events': { pages: 40 },
  'guest-function': { pages: 4, from: 40 },
  'guest612-function': { pages: 4, from: 40 },
  'guest-graph': { pages: 8, from: 300 },
  'guest612-graph': { pages: 8, from: 300 },
  'guest-stacks': { pages: 6 },
  'guest-printk': { pages: 20 },
  'guest612-printk': { pages: 20 },
  'guest-probes': { pages: 6 },
  'guest612-probes': { pages: 6 },
  ...Object.fromEntries([0, 2, 9, 12, 17, 19].map((odd) => [`guest-printk-odd${odd}`, { pages: 4 }])),
};

const { values } = parseArgs({ options: { from: { type: 'string' }, texts: { type: 'boolean' } } });

async function record(into: string): Promise<void> {
  for (const [prefix, meta] of [
    ['guest', undefined],
    ['guest612', newerKernel],
  ] as const) {
    const guest = await ReportGuest.restore(meta);
    try {
      for (const [name, kind] of Object.entries(kinds))
        await guest.record(join(into, `${prefix}-${name}.dat`), kind);
      for (const name of Object.keys(recordings)) {
        const odd = new RegExp(`^${prefix}-printk-odd(\\d+)$`).exec(name)?.[1];
        if (odd !== undefined) await guest.record(join(into, `${name}.dat`), oddPrintk(Number(odd)));
      }
    } finally {
      await guest.close();
    }
  }
}

mkdirSync(dir, { recursive: true });
if (values.texts !== true) {
  const work = values.from ?? mkdtempSync(join(tmpdir(), 'virtio-trace-fixtures-'));
  try {
    if (values.from === undefined) await record(work);
    for (const [name, { pages, from }] of Object.entries(recordings))
      await trim(join(work, `${name}.dat`), join(dir, `${name}.dat`), pages, from);
  } finally {
    if (values.from === undefined) rmSync(work, { recursive: true, force: true });
  }
}
for (const name of readdirSync(dir)) if (name.endsWith('.txt.br')) rmSync(join(dir, name));
for (const name of reportFixtures()) {
  const file = join(dir, `${name}.dat`);
  const texts: Record<string, string> = {};
  for (const args of optionsOf(file)) {
    const { status, stdout } = printed(traceCmd, [...args, '-i', `${name}.dat`], dir);
    // trace-cmd crashes with some; that is nothing to print the same
    if (typeof status === 'number') texts[JSON.stringify(args)] = stdout.toString('latin1');
  }
  const packed = packTexts(texts);
  writeFileSync(join(dir, `${name}.txt.br`), packed);
  const kb = (path: string): number => Math.round((existsSync(path) ? statSync(path).size : 0) / 1024);
  process.stdout.write(
    `${name}: ${kb(file)} KB, ${Object.keys(texts).length} reports in ${Math.round(packed.length / 1024)} KB, ` +
      `${readFileSync(file).length} bytes\n`,
  );
}
