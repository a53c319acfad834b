import { exitCode, Failure } from '../../src/base/failure.ts';
import { maintainer } from './documents.ts';
import type { Package } from './packages.ts';

/** Versions 3.4.N of libstdc++'s interface, by the GCC version that introduced them (its manual, "ABI Policy and Guidelines"). */
const newestInGcc: readonly (readonly [patch: number, gcc: number])[] = [
  [21, 5],
  [22, 6],
  [24, 7],
  [25, 8],
  [27, 9],
  [28, 10],
  [29, 11],
  [30, 12],
];

/**
 * Debian package names for the library interfaces that a program uses. dpkg-shlibdeps is not used: it would require
 * the versions of the build machine, which may be newer than necessary.
 * @param interfaces as `GLIBC_2.28`
 * @throws Failure for an unknown interface
 */
export function dependencies(interfaces: readonly string[]): string {
  const packages = interfaces.flatMap((name) => {
    const [, library, version = ''] = /^([A-Z]+)_([\d.]+)$/.exec(name) ?? [];
    const patch = Number(/^3\.4\.(\d+)$/.exec(version)?.[1]);
    const [, gcc] = newestInGcc.find(([newest]) => patch <= newest) ?? [];
    if (library === 'GLIBC') return [`libc6 (>= ${version})`];
    if (library === 'GCC') return ['libgcc-s1 | libgcc1'];
    if (library === 'GLIBCXX' && gcc !== undefined) return [`libstdc++6 (>= ${gcc})`];
    if (library === 'CXXABI') return []; // goes with GLIBCXX
    const remedy = 'add it to tools/deb/control.ts';
    throw new Failure(exitCode.failed, `unknown Debian package for ${name}`, remedy);
  });
  return packages.sort().join(', ');
}

export function controlFile(
  { name, summary, description, section, relations }: Package,
  {
    version,
    architecture,
    depends,
    kilobytes,
  }: {
    readonly version: string;
    /** As Debian names it. */
    readonly architecture: string;
    readonly depends: string;
    readonly kilobytes: string;
  },
): string {
  const fields = {
    Package: name,
    Version: version,
    Architecture: architecture,
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
