import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cached.ts';
import { tool } from './tool.ts';

/** Architecture of a guest that is not this machine's, as Debian, Node and npm name it. */
export type Foreign = 'arm64';

/** Where a package is taken from, if not from this machine's own packages. */
export type Source = Foreign | 'backports';

/**
 * Options with which apt knows the packages of another architecture, or Debian's backports for this release, from the
 * mirrors of this machine. Its lists and cache are not this machine's, and are fetched once a day. Blocks.
 * @returns no options for this machine's own packages
 */
export function debianOptions(source: Source | undefined): string[] {
  if (source === undefined) return [];
  const day = new Date().toISOString().slice(0, 10);
  const dir = cached(`apt-${source}-${day}`, (path) => {
    for (const each of ['lists/partial', 'cache/archives/partial'])
      mkdirSync(join(path, each), { recursive: true });
    if (source === 'backports') writeFileSync(join(path, sourceList), backportsLine());
    tool('apt-get', [...optionsIn(path, source), '-o', 'APT::Sandbox::User=root', '-q', 'update']);
  });
  return optionsIn(dir, source);
}

const sourceList = 'sources.list';

/** The mirror of this release has its backports, too. */
function backportsLine(): string {
  const targets = tool('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(CODENAME) $(COMPONENT)',
    'Identifier: Packages',
  ]);
  const [, uri, release] = /^(\S+) ([a-z]+) main$/m.exec(targets) ?? [];
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  return `deb [signed-by=${keys}] ${uri} ${release}-backports main\n`;
}

function optionsIn(dir: string, source: Source): string[] {
  const own =
    source === 'backports'
      ? [`Dir::Etc::sourcelist=${join(dir, sourceList)}`, 'Dir::Etc::sourceparts=-']
      : [`APT::Architecture=${source}`, `APT::Architectures=${source}`];
  return [...own, `Dir::State::lists=${join(dir, 'lists')}`, `Dir::Cache=${join(dir, 'cache')}`].flatMap(
    (option) => ['-o', option],
  );
}
