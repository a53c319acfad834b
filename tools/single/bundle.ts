import { build } from 'esbuild';
import type { Plugin } from 'esbuild';
import { join } from 'node:path';

/** What a program in one file cannot look for beside itself, and what is there instead. */
const replaced: readonly (readonly [imported: RegExp, by: string])[] = [
  [/^koffi$/, 'koffi.ts'],
  [/^@bokuweb\/zstd-wasm$/, 'zstd.ts'],
  [/\/version\.ts$/, 'version.ts'],
  [/\/worker-command\.ts$/, 'worker-command.ts'],
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
 * One CommonJS script, the only kind that Node 20 runs out of an executable, of a program and all that it imports.
 * @param root the checkout
 * @param version the package's
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
    // The script stays in each worker's memory. Names are kept for those who read stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    define: { PACKAGE_VERSION: JSON.stringify(version) },
    plugins: [inside(root)],
  });
}
