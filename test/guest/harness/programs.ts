import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crossPrefix } from '../../../tools/single/processor.ts';
import { cached } from './cached.ts';
import type { Foreign } from './foreign.ts';
import { programsDir } from './paths.ts';
import { tool } from './tool.ts';

/**
 * Path of the static executable of `test/guest/programs/NAME.c`, compiled when its source has changed. Blocks.
 * @param architecture default: this machine's
 */
export function program(name: string, architecture?: Foreign): string {
  const source = join(programsDir, `${name}.c`);
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const [gcc, of] =
    architecture === undefined ? ['gcc', ''] : [`${crossPrefix(architecture)}gcc`, `-${architecture}`];
  return cached(`program-${name}${of}-${hash}`, (path) => {
    tool(gcc, ['-O2', '-static', '-Wall', '-Wextra', '-o', path, source]);
  });
}
