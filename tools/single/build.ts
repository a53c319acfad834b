/**
 * Makes dist/trace-agent and dist/trace-host, each a single file that runs on any Linux with glibc. It contains Node, the
 * program, koffi's native part and zstd.
 *
 *     node dist/tools/single/build.js [DIR]
 */
import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../../src/cli/options/program.ts';
import { exitCode } from '../../src/base/failure.ts';
import { version } from '../../src/base/version.ts';
import { checkNode, libraryVersions, makeExecutable } from './executable.ts';
import { toolPackage } from './tool.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const dir = resolve(process.argv[2] ?? join(root, 'dist'));
const packages = join(root, 'node_modules');
const koffi = { 'koffi.node': join(packages, '@koromix/koffi-linux-x64/linux_x64/koffi.node') };
const zstd = { 'zstd.wasm': join(packages, '@bokuweb/zstd-wasm/dist/common/zstd.wasm') };
const thread = 'printing-thread';
const programs = { 'trace-agent': koffi, 'trace-host': { ...koffi, ...zstd } };

await runProgram('build:single', async () => {
  checkNode();
  toolPackage('esbuild', () => import.meta.resolve('esbuild'));
  const { bundle } = await import('./bundle.ts');
  // built next to the destination and then renamed, so that nobody sees a partial file or writes to a running one
  const work = mkdtempSync(join(dir, '.single-'));
  try {
    const threadScript = `${thread}.cjs`;
    await bundle(root, thread, version, join(work, threadScript));
    for (const [program, assets] of Object.entries(programs)) {
      const script = `${program}.cjs`;
      await bundle(root, program, version, join(work, script));
      const made = join(work, program);
      const threads = program === 'trace-host' ? { [threadScript]: threadScript } : {};
      makeExecutable(work, script, { ...assets, ...threads }, made);
      const to = join(dir, program);
      renameSync(made, to);
      const megabytes = (statSync(to).size / 1e6).toFixed(1);
      const needs = libraryVersions([to, assets['koffi.node']]).join(', ');
      console.log(`${relative('.', to)}: ${megabytes} MB, needs ${needs}`);
    }
  } finally {
    rmSync(work, { recursive: true });
  }
  return exitCode.done;
});
