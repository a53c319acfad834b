import { exitCode, Failure } from '../../src/failure.ts';
import { maintainer } from './documents.ts';
import type { Package } from './packages.ts';

/** GCC's release that brought a version of libstdc++'s interface (its manual, "ABI Policy and Guidelines"). */
const gccOf: Readonly<Record<string, string>> = {
  '3.4.21': '5',
  '3.4.22': '6',
  '3.4.24': '7',
  '3.4.25': '8',
  '3.4.26': '9',
  '3.4.28': '10',
  '3.4.29': '11',
  '3.4.30': '12',
};

/**
 * What Debian calls the libraries that a program was linked against. dpkg-shlibdeps asks for those of the machine that
 * builds, which need not be that new.
 * @param interfaces as `GLIBC_2.28`
 * @throws Failure for one that we do not know
 */
export function dependencies(interfaces: readonly string[]): string {
  const packages = interfaces.flatMap((name) => {
    const [, library, version = ''] = /^([A-Z]+)_([\d.]+)$/.exec(name) ?? [];
    const gcc = gccOf[version];
    if (library === 'GLIBC') return [`libc6 (>= ${version})`];
    if (library === 'GCC') return ['libgcc-s1 | libgcc1'];
    if (library === 'GLIBCXX' && gcc !== undefined) return [`libstdc++6 (>= ${gcc})`];
    if (library === 'CXXABI') return []; // goes with GLIBCXX
    const remedy = 'add it to tools/deb/control.ts';
    throw new Failure(exitCode.failed, `no Debian package is known for ${name}`, remedy);
  });
  return packages.sort().join(', ');
}

export function controlFile(
  { name, summary, description, section, relations }: Package,
  version: string,
  depends: string,
  kilobytes: string,
): string {
  const fields = {
    Package: name,
    Version: version,
    Architecture: 'amd64',
    Maintainer: maintainer,
    'Installed-Size': kilobytes,
    Depends: depends,
    ...relations,
    Section: section,
    Priority: 'optional',
    Description: [summary, ...description].join('\n '),
  };
  return Object.entries(fields)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join('');
}
