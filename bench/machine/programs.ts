import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../../test/guest/harness/cached.ts';
import { repoRoot } from '../../test/guest/harness/paths.ts';
import { program as guestProgram } from '../../test/guest/harness/programs.ts';
import { tool } from '../../test/guest/harness/tool.ts';

/** Path on this machine of a static executable, compiled if its source changed: a program of the benchmarks or of the guest tests. Blocks. */
export function executable(name: 'c-pump' | 'call-loop' | 'drain' | 'markers'): string {
  if (name === 'markers') return guestProgram(name);
  const source = join(repoRoot, 'bench/programs', `${name}.c`);
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  return cached(`program-${name}-${hash}`, (path) => {
    tool('gcc', ['-O2', '-static', '-pthread', '-Wall', '-Wextra', '-o', path, source]);
  });
}
