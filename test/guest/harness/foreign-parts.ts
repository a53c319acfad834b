import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../../../src/base/failure.ts';
import { type Parts, partsFor } from '../../../tools/single/parts.ts';
import { debianPackage } from './debian-package.ts';
import type { Foreign } from './foreign.ts';
import { repoRoot } from './paths.ts';

/** This version of Node, and koffi's native part, for another architecture; downloaded the first time. Blocks. */
export function foreignParts(architecture: Foreign): Parts {
  return partsFor(repoRoot, architecture);
}

/** Directory with the files of a Debian package for another architecture. Blocks. */
export function foreignPackage(name: string, architecture: Foreign): string {
  return debianPackage(name, [], `${name}-${architecture}`, architecture);
}

const libraries: Readonly<Record<Foreign, { readonly directory: string; readonly linker: string }>> = {
  arm64: { directory: 'aarch64-linux-gnu', linker: 'ld-linux-aarch64.so.1' },
};
/** What Node is linked with, by package. */
const linked: Readonly<Record<string, readonly string[]>> = {
  libc6: ['libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0'],
  'libgcc-s1': ['libgcc_s.so.1'],
  'libstdc++6': ['libstdc++.so.6'],
};

/** The libraries of a guest of another architecture: path in the guest, and the file. Blocks. */
export function foreignLibraries(architecture: Foreign): Map<string, string> {
  const { directory, linker } = libraries[architecture];
  const found = new Map<string, string>();
  const add = (package_: string, name: string, at: string): void => {
    const root = foreignPackage(package_, architecture);
    const path = ['lib', 'usr/lib']
      .map((dir) => join(root, dir, directory, name))
      .find((each) => existsSync(each));
    if (path === undefined)
      throw new Failure(exitCode.missing, `Debian's ${package_} for ${architecture} has no ${name}`);
    found.set(at, realpathSync(path));
  };
  add('libc6', linker, join('lib', linker));
  for (const [package_, names] of Object.entries(linked))
    for (const name of names) add(package_, name, join('lib', directory, name));
  return found;
}
