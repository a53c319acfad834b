import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { exitCode, Failure } from '../../../src/base/failure.ts';
import { version } from '../../../src/base/version.ts';
import { bundle } from '../../../tools/single/bundle.ts';
import { libraryVersions } from '../../../tools/single/executable.ts';
import { tool, toolPackage } from '../../../tools/single/tool.ts';
import { repoRoot } from '../../repo-root.ts';

const dir = mkdtempSync(join(tmpdir(), 'single-test-'));
after(() => rmSync(dir, { recursive: true }));

async function script(program: string): Promise<string> {
  const to = join(dir, `${program}.cjs`);
  await bundle(repoRoot, program, version, to);
  return readFileSync(to, 'utf8');
}

describe('the script of a single executable', () => {
  for (const program of ['trace-agent', 'trace-host']) {
    it(`of ${program} contains everything that is not Node's own`, async () => {
      const text = await script(program);
      const required = [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = '']) => name);
      assert.ok(required.length > 5);
      const own = new Set([...builtinModules, 'sea']);
      assert.deepEqual(
        required.filter((name) => !own.has(name.replace(/^node:/, ''))),
        [],
      );
    });

    it(`of ${program} needs no other file`, async () => {
      const text = await script(program);
      // the names by which koffi's and zstd's loaders, package.json and the worker's script would be found
      for (const beside of [
        /import\.meta/,
        /koffi-linux/,
        /\.\/zstd\.wasm/,
        /\.\/package\.json/,
        /worker\/main\.js/,
      ]) {
        assert.ok(!beside.test(text), String(beside));
      }
      assert.ok(text.includes(`"${version}"`), 'the version is inside');
    });
  }
});

describe('what the build of single executables needs', () => {
  it('is reported with a remedy when it is missing', () => {
    const missing = (message: string, remedy: string) => (error: unknown) =>
      error instanceof Failure &&
      error.exitCode === exitCode.missing &&
      error.message === message &&
      error.remedy === remedy;
    assert.throws(
      () => tool('no-such-tool', [], 'install binutils'),
      missing('no-such-tool is missing', 'install binutils'),
    );
    assert.throws(
      () => toolPackage('no-such-package', () => import.meta.resolve('no-such-package')),
      missing('the npm package no-such-package is missing', 'npm ci'),
    );
  });

  it('is reported with the reason when it fails', () => {
    assert.throws(() => tool('sh', ['-c', 'echo because >&2; exit 1'], ''), /^Failure: sh failed: because$/);
  });

  it('includes the newest version of each library', () => {
    const versions = libraryVersions([process.execPath], 'x64');
    assert.equal(versions.filter((name) => name.startsWith('GLIBC_')).length, 1);
    assert.ok(
      versions.every((name) => /^[A-Z]+_\d+(\.\d+)*$/.test(name)),
      String(versions),
    );
  });
});
