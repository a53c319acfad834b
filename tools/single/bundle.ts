import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { join } from 'node:path';

/** Modules that look for files next to their script or load optional packages, and their replacements in a single-file program. */
const replaced: readonly (readonly [imported: RegExp, by: string])[] = [
  [/^koffi$/, 'koffi.ts'],
  [/^@bokuweb\/zstd-wasm$/, 'zstd.ts'],
  [/\/load-duckdb\.ts$/, 'load-duckdb.ts'],
  [/\/version\.ts$/, 'version.ts'],
  [/\/worker-command\.ts$/, 'worker-command.ts'],
  [/\/thread-code\.ts$/, 'thread-code.ts'],
  [/\/load-libraries\.ts$/, 'load-libraries.ts'],
  [/\/read-page\.ts$/, 'read-page.ts'],
];

function inside(root: string): Plugin {
  const dir = join(root, 'tools/single/inside');
  return {
    name: 'inside',
    setup(build) {
      for (const [filter, by] of replaced) {
        build.onResolve({ filter }, ({ kind }) =>
          kind === 'entry-point' ? undefined : { path: join(dir, by) },
        );
      }
    },
  };
}

/**
 * Bundles a program with everything it imports into one CommonJS script, the only kind that Node 20 runs from an executable.
 * @param root the checkout
 * @param version version of the package
 */
export async function bundle(root: string, program: string, version: string, to: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, `tools/single/inside/${program}.ts`)],
    outfile: to,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // minified, because the script stays in each worker's memory; names are kept for stack traces
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    define: { PACKAGE_VERSION: JSON.stringify(version) },
    plugins: [inside(root)],
  });
}
