import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cached.ts';
import { tool } from './tool.ts';

/** Architecture of a guest that is not this machine's, as Debian, Node and npm name it. */
export type Foreign = 'arm64';

/**
 * Options with which apt knows the packages of an architecture, from the mirrors of this machine. Its lists and cache
 * are not this machine's, and are fetched once a day. Blocks. @returns no options for this machine's own architecture
 */
export function debianOptions(architecture: Foreign | undefined): string[] {
  if (architecture === undefined) return [];
  const day = new Date().toISOString().slice(0, 10);
  const dir = cached(`apt-${architecture}-${day}`, (path) => {
    for (const each of ['lists/partial', 'cache/archives/partial'])
      mkdirSync(join(path, each), { recursive: true });
    tool('apt-get', [...optionsIn(path, architecture), '-o', 'APT::Sandbox::User=root', '-q', 'update']);
  });
  return optionsIn(dir, architecture);
}

function optionsIn(dir: string, architecture: Foreign): string[] {
  return [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    `Dir::State::lists=${join(dir, 'lists')}`,
    `Dir::Cache=${join(dir, 'cache')}`,
  ].flatMap((option) => ['-o', option]);
}
