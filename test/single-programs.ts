import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { repoRoot } from './repo-root.ts';

export interface SinglePrograms {
  readonly agent: string;
  readonly host: string;
}

const builder = join(repoRoot, 'dist/tools/single/build.js');

/**
 * The single executables of what is compiled now, made anew: a test of those of yesterday would be none. Blocks for
 * half a minute.
 * @param dir where to; default: where users look for them
 */
export function singlePrograms(dir = join(repoRoot, 'dist')): SinglePrograms {
  execFileSync(process.execPath, [builder, dir], { stdio: ['ignore', 'ignore', 'inherit'] });
  return { agent: join(dir, 'trace-agent'), host: join(dir, 'trace-host') };
}
