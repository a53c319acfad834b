import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../../src/base/version.ts';

/**
 * The date of the man pages, as 2026-11-24. It is not the current time, so that builds are reproducible:
 * `SOURCE_DATE_EPOCH`, else the release date in the changelog, else (before a release) the date of the last commit.
 * @throws Error if none of them is available
 */
export function manualDate(root: string, env: NodeJS.ProcessEnv = process.env): string {
  const epoch = env['SOURCE_DATE_EPOCH'];
  if (epoch !== undefined && /^\d{1,11}$/.test(epoch))
    return new Date(Number(epoch) * 1000).toISOString().slice(0, 10);
  return releaseDate(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version) ?? commitDate(root);
}

/** From a changelog in the format of keepachangelog.com; undefined: not released. */
export function releaseDate(changelog: string, release: string): string | undefined {
  for (const [, name, date] of changelog.matchAll(/^## \[(.+?)\] - (\d{4}-\d\d-\d\d)$/gm))
    if (name === release) return date;
  return undefined;
}

function commitDate(root: string): string {
  const asked = spawnSync('git', ['log', '-1', '--format=%cs'], { cwd: root, encoding: 'utf8' });
  const date = asked.status === 0 ? asked.stdout.trim() : '';
  if (/^\d{4}-\d\d-\d\d$/.test(date)) return date;
  throw new Error('no date for the man pages: set SOURCE_DATE_EPOCH, or build in a git checkout');
}
