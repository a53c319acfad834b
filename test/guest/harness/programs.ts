import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cached.ts';
import { programsDir } from './paths.ts';
import { tool } from './tool.ts';

/** Path of the static executable of `test/guest/programs/NAME.c`, compiled when its source has changed. Blocks. */
export function program(name: string): string {
  const source = join(programsDir, `${name}.c`);
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  return cached(`program-${name}-${hash}`, (path) => {
    tool('gcc', ['-O2', '-static', '-Wall', '-Wextra', '-o', path, source]);
  });
}
