import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { libraryVersions } from '../single/executable.ts';
import { nativePartOf, partsFor } from '../single/parts.ts';
import { debianName } from '../single/processor.ts';
import { tool } from '../single/tool.ts';
import { controlFile, dependencies } from './control.ts';
import { documents } from './documents.ts';
import type { Package, PackagedFile, Parts } from './packages.ts';

export interface Build extends Parts {
  readonly version: string;
  /** Destination directory of NAME_VERSION_ARCHITECTURE.deb. */
  readonly into: string;
}

/**
 * Builds the .deb file of a package. Blocks.
 * @param work an empty directory; the caller's umask must be 022
 * @returns path of the .deb file
 */
export function makeArchive(build: Build, described: Package, work: string): string {
  const { root, processor, programs, version, date, into } = build;
  const { name, program, scripts, conffiles } = described;
  const files = [...described.files, ...documents(root, described, version, date)];
  chmodSync(work, 0o755); // it becomes the first entry of the archive
  for (const file of files) place(work, file);
  const paths = files.map(({ to }) => to).sort();
  const [kilobytes = ''] = tool('du', ['-sk', '--apparent-size', work], 'install coreutils').split('\t');
  const sums = tool('md5sum', paths, 'install coreutils', work);

  const control = join(work, 'DEBIAN');
  mkdirSync(control);
  // the program and the native code embedded in it load the same libraries
  const native = nativePartOf(partsFor(root, processor), processor);
  const depends = dependencies(libraryVersions([join(programs, program), native], processor));
  const architecture = debianName(processor);
  const text = controlFile(described, { version, architecture, depends, kilobytes });
  put(join(control, 'control'), text, 0o644);
  put(join(control, 'md5sums'), sums, 0o644);
  if (conffiles.length > 0) put(join(control, 'conffiles'), `${conffiles.join('\n')}\n`, 0o644);
  for (const [script, from] of Object.entries(scripts))
    put(join(control, script), readFileSync(join(root, 'packaging/deb', from)), 0o755);

  const archive = join(into, `${name}_${version}_${architecture}.deb`);
  const epoch = String(date.getTime() / 1000);
  tool('find', [work, '-exec', 'touch', '-h', '-d', `@${epoch}`, '{}', '+'], 'install findutils');
  // One thread, because xz splits blocks by the number of threads, which depends on the machine's memory. Level 6
  // takes five times as long and saves an eighth.
  const env = [`SOURCE_DATE_EPOCH=${epoch}`, 'DPKG_DEB_THREADS_MAX=1'];
  const how = ['--root-owner-group', '-Zxz', '-z1', '--build', work, archive];
  tool('env', [...env, 'dpkg-deb', ...how], 'install dpkg');
  return archive;
}

function place(work: string, { from, to, mode, gzip }: PackagedFile): void {
  const at = join(work, to);
  mkdirSync(dirname(at), { recursive: true });
  if (typeof from === 'string' && gzip !== true) {
    copyFileSync(from, at);
    chmodSync(at, mode);
    return;
  }
  const content = typeof from === 'string' ? readFileSync(from) : Buffer.from(from.text);
  put(at, gzip === true ? gzipSync(content, { level: 9 }) : content, mode);
}

function put(path: string, content: string | Uint8Array, mode: number): void {
  writeFileSync(path, content);
  chmodSync(path, mode);
}
