import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { binutil, type Processor } from './processor.ts';
import { tool, toolPackage } from './tool.ts';

/** Where Node looks for an embedded program, and the fuse (a marker followed by a flag byte) that enables it. */
const resource = 'NODE_SEA_BLOB';
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

const install = 'build with Node 20 to 24 for Linux on x64 or arm64 from nodejs.org or NodeSource';

/** @throws Failure if this Node cannot build a single executable with the embedded native code */
export function checkNode(): void {
  const { platform, arch, execPath } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64') || glibc() === undefined) {
    throw new Failure(exitCode.failed, `${execPath} is not for Linux with glibc on x64 or arm64`, install);
  }
}

/** @throws Failure if this executable of Node cannot become a single executable */
export function checkEmbedding(path: string): void {
  // some distributions put Node into a shared library; the executable alone is then useless
  const node = readFileSync(path);
  if (node.includes(`${fuse}:0`)) return;
  const why = node.includes(fuse) ? 'is a single executable already' : 'cannot embed a program';
  throw new Failure(exitCode.failed, `Node ${process.version} (${path}) ${why}`, install);
}

function glibc(): unknown {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}

/**
 * Makes an executable of Node, stripped of debug information, and a script with its assets. The result is
 * reproducible: it depends on file names in `work`, but not on the path of `work`.
 * @param node executable of this version of Node, for any processor
 * @param work a directory that contains `script`
 */
export function makeExecutable(
  { node, processor }: { readonly node: string; readonly processor: Processor },
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
  copyFileSync(node, to);
  chmodSync(to, 0o755);
  const [strip, from] = binutil('strip', processor);
  tool(strip, [to], from);
  tool(process.execPath, [postject, to, resource, join(work, blob), '--sentinel-fuse', fuse], '');
}

/** The newest version of each library interface that the files, for one processor, require, e.g. `GLIBC_2.28`. */
export function libraryVersions(files: readonly string[], processor: Processor): string[] {
  const [objdump, from] = binutil('objdump', processor);
  const wanted = tool(objdump, ['--private-headers', ...files], from);
  const newest = new Map<string, string>();
  for (const [, name = '', library = ''] of wanted.matchAll(/^ +0x\w+ 0x\w+ \d+ (([A-Z]+)_[\d.]+)$/gm)) {
    const known = newest.get(library) ?? '';
    if (name.localeCompare(known, 'en', { numeric: true }) > 0) newest.set(library, name);
  }
  return [...newest.values()];
}
