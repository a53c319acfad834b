import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { tool, toolPackage } from './tool.ts';

const binutils = 'install binutils';
/** Where Node looks for an embedded program, and the fuse (a marker followed by a flag byte) that enables it. */
const resource = 'NODE_SEA_BLOB';
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** @throws Failure if this Node cannot become a single executable, or cannot run the embedded native code */
export function checkNode(): void {
  const install = 'build with Node 20 to 24 for Linux on x64 from nodejs.org or NodeSource';
  const { platform, arch, execPath, version } = process;
  if (platform !== 'linux' || arch !== 'x64' || glibc() === undefined) {
    throw new Failure(exitCode.failed, `${execPath} is not for x86-64 Linux with glibc`, install);
  }
  // some distributions put Node into a shared library; the executable alone is then useless
  const node = readFileSync(execPath);
  if (!node.includes(`${fuse}:0`)) {
    const why = node.includes(fuse) ? 'is a single executable already' : 'cannot embed a program';
    throw new Failure(exitCode.failed, `Node ${version} (${execPath}) ${why}`, install);
  }
}

function glibc(): unknown {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}

/**
 * Makes an executable of this Node, stripped of debug information, and a script with its assets. The result is
 * reproducible: it depends on file names in `work`, but not on the path of `work`.
 * @param work a directory that contains `script`
 */
export function makeExecutable(
  work: string,
  script: string,
  assets: Readonly<Record<string, string>>,
  to: string,
): void {
  const postject = fileURLToPath(toolPackage('postject', () => import.meta.resolve('postject/dist/cli.js')));
  const blob = `${script}.blob`;
  const config = { main: script, output: blob, disableExperimentalSEAWarning: true, assets };
  writeFileSync(join(work, 'sea.json'), JSON.stringify(config));
  tool(process.execPath, ['--experimental-sea-config', 'sea.json'], '', work);
  copyFileSync(process.execPath, to);
  chmodSync(to, 0o755);
  tool('strip', [to], binutils);
  tool(process.execPath, [postject, to, resource, join(work, blob), '--sentinel-fuse', fuse], '');
}

/** The newest version of each library interface that the files require, e.g. `GLIBC_2.28`. */
export function libraryVersions(files: readonly string[]): string[] {
  const wanted = tool('objdump', ['--private-headers', ...files], binutils);
  const newest = new Map<string, string>();
  for (const [, name = '', library = ''] of wanted.matchAll(/^ +0x\w+ 0x\w+ \d+ (([A-Z]+)_[\d.]+)$/gm)) {
    const known = newest.get(library) ?? '';
    if (name.localeCompare(known, 'en', { numeric: true }) > 0) newest.set(library, name);
  }
  return [...newest.values()];
}
