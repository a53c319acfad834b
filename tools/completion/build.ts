/** `npm run build:completions`: writes the shell completions to dist/completions. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completions } from './completions.ts';

const into = fileURLToPath(new URL('../../completions', import.meta.url));
for (const [path, script] of completions()) {
  mkdirSync(dirname(join(into, path)), { recursive: true });
  writeFileSync(join(into, path), script);
}
