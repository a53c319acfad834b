import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Place, places } from './options.ts';

/** A file of tests, and what its name and its first lines say of it. */
export interface TestFile {
  /** `test/PLACE/….test.ts`. */
  readonly path: string;
  readonly place: Place;
  /** What runs: its JavaScript in `dist`. */
  readonly program: string;
  readonly source: string;
  /** `NAME.long.test.ts`: not in the short set. */
  readonly long: boolean;
  /** Has more in the long set than in the short one. */
  readonly deeper: boolean;
  /** `// @alone REASON` in its first lines: nothing else runs beside it. */
  readonly alone: string | undefined;
  /** `// @first REASON`: among the first to start, for it takes the longest. */
  readonly first: boolean;
  /** Has hooks at its top, which would run for the tests of other files in its process as well. */
  readonly hooks: boolean;
}

/** All test files of a checkout, in the order of their paths. Blocks. */
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

/** Names of a file's tests as its source has them; a name that is made of parts has `…` in their place. */
export function testNames({ source, long }: TestFile): TestName[] {
  const calls = source.matchAll(
    /^ *(?:await )?(test|it|longTest|\w+\.test)\(\s*(['"`])((?:(?!\2)[^\\]|\\.)*)\2/gm,
  );
  return [...calls].map(([, call, , name = '']) => ({
    name: name.replace(/\$\{[^}]*\}/g, '…'),
    long: long || call === 'longTest',
  }));
}
