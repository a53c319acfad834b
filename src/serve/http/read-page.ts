import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Files of the page as built, by path. The single executable has its own, tools/single/inside/read-page.ts. */
export function readPageFiles(): readonly (readonly [path: string, body: Buffer])[] {
  const dir = fileURLToPath(new URL('../../../page', import.meta.url));
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path.slice(dir.length + 1), readFileSync(path)]);
}
