import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../src/base/version.ts';
import { makeArchive } from '../tools/deb/archive.ts';
import { packages } from '../tools/deb/packages.ts';
import type { Processor } from '../tools/single/processor.ts';
import { cachedLater } from './guest/harness/cached.ts';
import { repoRoot } from './repo-root.ts';

export interface SinglePrograms {
  /** The directory of both. */
  readonly dir: string;
  readonly agent: string;
  readonly host: string;
}

const builder = join(repoRoot, 'dist/tools/single/build.js');

/**
 * The single executables of the current build. Created, in half a minute, when any of their inputs has changed.
 * @param processor default: this machine's
 */
export async function singlePrograms(processor: Processor = 'x64'): Promise<SinglePrograms> {
  const dir = await cachedLater(`executables-${processor}-${inputHash()}`, (path) => {
    mkdirSync(path);
    buildSinglePrograms(path, processor);
    return Promise.resolve();
  });
  return { dir, agent: join(dir, 'trace-agent'), host: join(dir, 'trace-host') };
}

/** The agent's Debian package with these executables. */
export function agentPackage(processor: Processor = 'x64'): Promise<string> {
  return debianPackage('trace-agent', processor);
}

/** The Debian package of trace-host with these executables. */
export function hostPackage(processor: Processor = 'x64'): Promise<string> {
  return debianPackage('trace-host', processor);
}

async function debianPackage(program: string, processor: Processor): Promise<string> {
  const { dir: programs } = await singlePrograms(processor);
  const date = new Date(0);
  const dir = await cachedLater(`executables-deb-${program}-${processor}-${inputHash()}`, (path) => {
    mkdirSync(path);
    const build = { root: repoRoot, processor, programs, version, date, into: path };
    const described = packages(build).find((each) => each.program === program);
    if (described === undefined) throw new Error(`no package has ${program}`);
    const work = mkdtempSync(join(path, '.work-'));
    process.umask(0o022);
    makeArchive(build, described, work);
    rmSync(work, { recursive: true });
    return Promise.resolve();
  });
  const name = readdirSync(dir).find((each) => each.endsWith('.deb'));
  if (name === undefined) throw new Error(`no package in ${dir}`);
  return join(dir, name);
}

/** Builds them in `dir`. Blocks for half a minute. */
export function buildSinglePrograms(dir: string, processor: Processor = 'x64'): void {
  execFileSync(process.execPath, [builder, '--arch', processor, dir], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function inputHash(): string {
  const hash = createHash('sha256');
  const compiled = [
    'dist/bin',
    'dist/src',
    'dist/tools/deb',
    'dist/tools/single',
    'packaging',
    'docs',
  ].flatMap((dir) =>
    readdirSync(join(repoRoot, dir), { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.endsWith('.map') && statSync(join(repoRoot, dir, name)).isFile())
      .sort()
      .map((name) => join(dir, name)),
  );
  for (const name of [...compiled, 'package.json', 'package-lock.json'])
    hash.update(`${name}\0`).update(readFileSync(join(repoRoot, name)));
  const { size, mtimeMs } = statSync(process.execPath);
  return hash.update(`${process.execPath} ${size} ${mtimeMs}`).digest('hex').slice(0, 16);
}
