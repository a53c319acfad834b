import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cachedLater } from './guest/harness/cached.ts';
import { repoRoot } from './repo-root.ts';

export interface SinglePrograms {
  /** Has both. */
  readonly dir: string;
  readonly agent: string;
  readonly host: string;
}

const builder = join(repoRoot, 'dist/tools/single/build.js');

/** The single executables of what is compiled now. Made, in half a minute, when anything that goes into them is new. */
export async function singlePrograms(): Promise<SinglePrograms> {
  const dir = await cachedLater(`executables-${inputHash()}`, (path) => {
    mkdirSync(path);
    buildSinglePrograms(path);
    return Promise.resolve();
  });
  return { dir, agent: join(dir, 'trace-agent'), host: join(dir, 'trace-host') };
}

/** Makes them anew in `dir`. Blocks for half a minute. */
export function buildSinglePrograms(dir: string): void {
  execFileSync(process.execPath, [builder, dir], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function inputHash(): string {
  const hash = createHash('sha256');
  const compiled = ['dist/bin', 'dist/src', 'dist/tools/single'].flatMap((dir) =>
    readdirSync(join(repoRoot, dir), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.c?js$/.test(name))
      .sort()
      .map((name) => join(dir, name)),
  );
  for (const name of [...compiled, 'package.json', 'package-lock.json'])
    hash.update(`${name}\0`).update(readFileSync(join(repoRoot, name)));
  const { size, mtimeMs } = statSync(process.execPath);
  return hash.update(`${process.execPath} ${size} ${mtimeMs}`).digest('hex').slice(0, 16);
}
