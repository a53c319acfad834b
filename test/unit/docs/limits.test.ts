import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { repoRoot } from '../../repo-root.ts';

/** The source folders whose limits are all listed. */
const folders = ['worker', 'supervisor', 'protocol', 'tracefs', 'trace', 'host'];

interface Row {
  readonly constant: string;
  readonly value: string;
  readonly file: string;
  readonly test: string;
}

function rowsOf(page: string): Row[] {
  const rows: Row[] = [];
  for (const line of page.split('\n')) {
    const [, constant, value, file, , test] =
      /^\| `(\w+)` \| (.+?) \| (\S+) \| (.+) \| (\S+) \|$/.exec(line) ?? [];
    if (constant !== undefined && value !== undefined && file !== undefined && test !== undefined)
      rows.push({ constant, value, file, test });
  }
  return rows;
}

/**
 * `const nameMs = 5`, `  nameMs: 5,` and `#name = new Backoff(1, 5)` of a source, by name: everything that looks
 * like a limit.
 */
function boundsIn(source: string): Map<string, string> {
  const bounds = new Map<string, string>();
  const constant =
    /^(?:export )?const (\w+(?:Ms|Max|Bytes|AtOnce|Splices|PerTurn|Attempts)|(?:max|most)[A-Z]\w*) = (.*?)(?: as const)?;/gm;
  const field = /^ {2}(\w+Ms): ([\d_]+),$/gm;
  const backoff = /^ {2}readonly #(\w+) = new Backoff\((.*)\);$/gm;
  for (const form of [constant, field, backoff])
    for (const [, name = '', value = ''] of source.matchAll(form)) bounds.set(name, value);
  return bounds;
}

/** Sizes that the kernel or a format defines, and one that only selects the faster way: not limits. */
const givenSizes = new Set([
  'pageHeaderBytes',
  'pageBytes',
  'chunkCountBytes',
  'sectionHeaderBytes',
  'headBytes',
  'sampleBytes',
  'shortTextBytes',
]);

describe('docs/limits.md', () => {
  const rows = rowsOf(readFileSync(join(repoRoot, 'docs/limits.md'), 'utf8'));

  it('gives for each limit the value of the source, and an existing test', () => {
    assert.ok(rows.length > 40, `${rows.length} rows`);
    for (const { constant, value, file, test } of rows) {
      const bounds = boundsIn(readFileSync(join(repoRoot, file), 'utf8'));
      assert.equal(bounds.get(constant), value, `${constant} in ${file}`);
      assert.ok(existsSync(join(repoRoot, test)), test);
    }
  });

  it('includes every constant that looks like a limit', () => {
    const listed = new Set(rows.map(({ constant, file }) => `${file} ${constant}`));
    for (const folder of folders) {
      for (const name of readdirSync(join(repoRoot, 'src', folder), { recursive: true, encoding: 'utf8' })) {
        if (!name.endsWith('.ts')) continue;
        const file = join('src', folder, name);
        for (const bound of boundsIn(readFileSync(join(repoRoot, file), 'utf8')).keys())
          if (!givenSizes.has(bound))
            assert.ok(listed.has(`${file} ${bound}`), `${bound} of ${file} is not there`);
      }
    }
  });
});
