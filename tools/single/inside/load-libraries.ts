/** Replaces src/serve/load-libraries.ts: the daemon's packages are in the executable, and only `serve` loads them. */
import { createRequire } from 'node:module';
import { getAsset } from 'node:sea';
import { compileFunction } from 'node:vm';

type Libraries = typeof import('../../../src/serve/libraries.ts');

const script = 'serve-libraries.cjs';
let loaded: Libraries | undefined;

export function loadLibraries(): Promise<Libraries> {
  loaded ??= load();
  return Promise.resolve(loaded);
}

function load(): Libraries {
  const names = ['module', 'exports', 'require'];
  const run = compileFunction(getAsset(script, 'utf8'), names, { filename: script });
  const module: { exports: object } = { exports: {} };
  // it needs modules of Node only
  run(module, module.exports, createRequire('/'));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the build bundles that file
  return module.exports as Libraries;
}
