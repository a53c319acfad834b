/** `npm run build:man`: writes the man pages to dist/man. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manualDate } from './date.ts';
import { manPages } from './pages.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const into = join(root, 'dist/man');
mkdirSync(into, { recursive: true });
for (const [file, roff] of manPages(root, manualDate(root))) writeFileSync(join(into, file), roff);
