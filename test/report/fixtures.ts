import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { repoRoot } from '../repo-root.ts';
import { eventOptions, functionOptions, metadataOptions, namedOptions } from './options.ts';

/** Small traces, each with what `trace-cmd report` prints of it (`tools/report-fixtures.ts`). */
export const reportFixtureDir = join(repoRoot, 'test/fixtures/report');

/** Their names, without `.dat`. */
export function reportFixtures(): string[] {
  if (!existsSync(reportFixtureDir)) return [];
  return readdirSync(reportFixtureDir)
    .filter((name) => name.endsWith('.dat'))
    .map((name) => name.slice(0, -'.dat'.length))
    .sort();
}

/** All options that a fixture is compared with. */
export function optionsOf(file: string): (readonly string[])[] {
  const options = [...eventOptions, ...metadataOptions];
  const { system, event } = firstEvent(file);
  const hasStacks = /stacks|printk|function/.test(file);
  if (event !== '') options.push(...namedOptions(system, event, hasStacks));
  if (/function|graph/.test(file)) options.push(...functionOptions);
  return options;
}

/** An event that is in the file, by name: the most frequent one that is not of ftrace itself, else of ftrace. */
function firstEvent(file: string): { system: string; event: string } {
  const { stdout } = spawnSync('trace-cmd', ['report', '-N', '-i', file], { maxBuffer: 1 << 30 });
  const counts = new Map<string, number>();
  for (const [, name = ''] of stdout.toString('latin1').matchAll(/^ +\S.*?-\d+ +\[\d+\] +[\d.]+: (\w+):/gm))
    counts.set(name, (counts.get(name) ?? 0) + 1);
  const names = spawnSync('trace-cmd', ['report', '-E', '-i', file]).stdout.toString('latin1').split('\n');
  const found = [...counts]
    .sort(([, a], [, b]) => b - a)
    .flatMap(([name]) => names.find((full) => full.endsWith(`:${name}`)) ?? []);
  const [system = '', event = ''] = (
    found.find((name) => !name.startsWith('ftrace:')) ??
    found[0] ??
    ''
  ).split(':');
  return { system, event };
}

/** Reports by the JSON of their options; their bytes are latin1. */
type Texts = Readonly<Record<string, string>>;

/** The reports of one trace resemble each other, so they are packed with a window that spans them all. */
export function packTexts(texts: Readonly<Record<string, unknown>>): Buffer {
  const bytes = Buffer.from(JSON.stringify(texts));
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/** What trace-cmd printed when the fixtures were made. */
export function storedTexts(name: string): ReadonlyMap<readonly string[], Buffer> {
  const packed = readFileSync(join(reportFixtureDir, `${name}.txt.br`));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- packTexts wrote it
  const texts = JSON.parse(brotliDecompressSync(packed).toString()) as Texts;
  return new Map(
    Object.entries(texts).map(([args, text]) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- likewise
      return [JSON.parse(args) as string[], Buffer.from(text, 'latin1')];
    }),
  );
}
