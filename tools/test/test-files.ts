import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Place, places } from './options.ts';

/** A test file, with what its name and its first lines specify. */
export interface TestFile {
  /** `test/PLACE/….test.ts`. */
  readonly path: string;
  readonly place: Place;
  /** The compiled file in `dist`, which is what runs. */
  readonly program: string;
  readonly source: string;
  /** `NAME.long.test.ts`: not in the short set. */
  readonly long: boolean;
  /** Does more in the long set than in the short one. */
  readonly deeper: boolean;
  /** `// @alone REASON` in its first lines: no other file runs at the same time. */
  readonly alone: string | undefined;
  /** `// @first REASON`: starts among the first, because it takes the longest. */
  readonly first: boolean;
  /** Has top-level hooks, which would also run for the tests of other files in its process. */
  readonly hooks: boolean;
}

/** All test files of a checkout, sorted by path. Blocks. */
export function testFiles(root: string): TestFile[] {
  return places.flatMap((place) =>
    readdirSync(join(root, 'test', place), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .sort()
      .map((name) => testFile(root, place, name)),
  );
}

function testFile(root: string, place: Place, name: string): TestFile {
  const path = join('test', place, name);
  const source = readFileSync(join(root, path), 'utf8');
  const head = source.slice(0, source.indexOf('\nimport') + 1);
  return {
    path,
    place,
    program: join(root, 'dist', path.replace(/\.ts$/, '.js')),
    source,
    long: path.endsWith('.long.test.ts'),
    deeper: /\b(?:isLong|longTest|thorough)\b/.test(source) || path.endsWith('.long.test.ts'),
    alone: /^\/\/ @alone (.+)$/m.exec(head)?.[1],
    first: /^\/\/ @first /m.test(head),
    hooks: /^(?:before|after)(?:Each)?\(/m.test(source),
  };
}

export interface TestName {
  readonly name: string;
  readonly long: boolean;
}

/** Names of a file's tests, from its source; `…` replaces the parts of a name that are computed. */
export function testNames({ source, long }: TestFile): TestName[] {
  const calls = source.matchAll(
    /^ *(?:await )?(test|it|longTest|\w+\.test)\(\s*(['"`])((?:(?!\2)[^\\]|\\.)*)\2/gm,
  );
  return [...calls].map(([, call, , name = '']) => ({
    name: name.replace(/\$\{[^}]*\}/g, '…'),
    long: long || call === 'longTest',
  }));
}
