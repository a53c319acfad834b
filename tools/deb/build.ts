/**
 * Builds the Debian packages for guest and host from the single-file executables.
 *
 *     node dist/tools/deb/build.js [--arch x64|arm64] [DIR]
 *
 * DIR contains the executables and receives the packages; default: as that of build:single.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../../src/cli/options/program.ts';
import { exitCode } from '../../src/base/failure.ts';
import { version } from '../../src/base/version.ts';
import { manualDate } from '../man/date.ts';
import { targetOf } from '../single/processor.ts';
import { makeArchive } from './archive.ts';
import { packages } from './packages.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

await runProgram('build:deb', () => {
  const { processor, dir } = targetOf(process.argv.slice(2), root);
  process.umask(0o022);
  const date = new Date(`${manualDate(root)}T00:00:00Z`);
  const build = { root, processor, programs: dir, version, date, into: dir };
  for (const described of packages(build)) {
    const work = mkdtempSync(join(dir, '.deb-'));
    try {
      const archive = makeArchive(build, described, work);
      console.log(`${relative('.', archive)}: ${(statSync(archive).size / 1e6).toFixed(1)} MB`);
    } finally {
      rmSync(work, { recursive: true });
    }
  }
  return Promise.resolve(exitCode.done);
});
