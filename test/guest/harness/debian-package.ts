import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, exitCode } from '../../../src/base/failure.ts';
import { cached } from './cached.ts';
import { debianOptions, type Source } from './foreign.ts';
import { cacheDir } from './paths.ts';
import { tool } from './tool.ts';

/**
 * Directory with a Debian package's files, downloaded and unpacked into the cache, not installed. Blocks; needs no
 * root. `members` are tar patterns of the files to unpack (a kernel package has 350 MB), default all; `as` is the
 * directory's name in the cache, for other members of the same package. `source` is where it is from,
 * default this machine's packages; give it a name `as` of its own.
 */
export function debianPackage(
  name: string,
  members: readonly string[] = [],
  as = name,
  source?: Source,
): string {
  return cached(as, (path) => {
    const download = mkdtempSync(join(cacheDir(), '.download-'));
    try {
      // With its own user for downloads, apt could not write into a directory of root's.
      const options = [...debianOptions(source), '-o', 'APT::Sandbox::User=root'];
      tool('apt-get', ['download', '-q', ...options, name], { cwd: download });
      const archive = readdirSync(download).find((file) => file.endsWith('.deb'));
      if (archive === undefined) {
        throw new Failure(exitCode.missing, `apt-get downloaded no ${name}`, 'run apt-get update');
      }
      mkdirSync(path);
      const deb = join(download, archive);
      if (members.length === 0) tool('dpkg-deb', ['-x', deb, path]);
      else {
        const unpack =
          'deb=$1; dir=$2; shift 2; dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --wildcards "$@"';
        tool('sh', ['-c', unpack, 'sh', deb, path, ...members]);
      }
    } finally {
      rmSync(download, { recursive: true, force: true });
    }
  });
}
