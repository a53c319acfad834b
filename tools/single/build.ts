/**
 * Makes dist/trace-agent and dist/trace-host, each a single file that runs on any Linux with glibc. It contains Node, the
 * program, koffi's native part and zstd.
 *
 *     node dist/tools/single/build.js [--arch x64|arm64] [DIR]
 *
 * For another processor than this machine's, the default of DIR is dist/arm64 or dist/x64.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPageFiles } from '../../src/serve/http/read-page.ts';
import { runProgram } from '../../src/cli/options/program.ts';
import { exitCode } from '../../src/base/failure.ts';
import { version } from '../../src/base/version.ts';
import { checkEmbedding, checkNode, libraryVersions, makeExecutable } from './executable.ts';
import { nativePartOf, partsFor } from './parts.ts';
import { targetOf } from './processor.ts';
import { toolPackage } from './tool.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const zstd = { 'zstd.wasm': join(root, 'node_modules/@bokuweb/zstd-wasm/dist/common/zstd.wasm') };
const thread = 'printing-thread';
const libraries = 'serve-libraries';
const pageFile = 'page.json';

await runProgram('build:single', async () => {
  const { processor, dir } = targetOf(process.argv.slice(2), root);
  checkNode();
  toolPackage('esbuild', () => import.meta.resolve('esbuild'));
  const { bundle } = await import('./bundle.ts');
  const parts = partsFor(root, processor);
  checkEmbedding(parts.node);
  const koffi = { 'koffi.node': nativePartOf(parts, processor) };
  const programs = { 'trace-agent': koffi, 'trace-host': { ...koffi, ...zstd } };
  mkdirSync(dir, { recursive: true });
  // built next to the destination and then renamed, so that nobody sees a partial file or writes to a running one
  const work = mkdtempSync(join(dir, '.single-'));
  try {
    const threadScript = `${thread}.cjs`;
    await bundle(root, thread, version, join(work, threadScript));
    const librariesScript = `${libraries}.cjs`;
    await bundle(root, libraries, version, join(work, librariesScript));
    writeFileSync(join(work, pageFile), pageAsJson());
    const ofHost = [threadScript, librariesScript, pageFile].map((name) => [name, name] as const);
    for (const [program, assets] of Object.entries(programs)) {
      const script = `${program}.cjs`;
      await bundle(root, program, version, join(work, script));
      const made = join(work, program);
      const more = program === 'trace-host' ? Object.fromEntries(ofHost) : {};
      makeExecutable({ node: parts.node, processor }, work, script, { ...assets, ...more }, made);
      const to = join(dir, program);
      renameSync(made, to);
      const megabytes = (statSync(to).size / 1e6).toFixed(1);
      const needs = libraryVersions([to, assets['koffi.node']], processor).join(', ');
      console.log(`${relative('.', to)}: ${megabytes} MB, needs ${needs}`);
    }
  } finally {
    rmSync(work, { recursive: true });
  }
  return exitCode.done;
});

/** The page of `trace-host serve`: its files in base64, by path. */
function pageAsJson(): string {
  const files = [...readPageFiles()].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(files.map(([path, body]) => [path, body.toString('base64')])));
}
