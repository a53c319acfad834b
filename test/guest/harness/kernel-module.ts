import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached } from './cached.ts';
import { debianPackage } from './debian-package.ts';
import type { GuestKernel } from './kernel.ts';
import { programsDir } from './paths.ts';
import { tool } from './tool.ts';

/**
 * Path of the module of `test/guest/programs/NAME.c` for one of Debian's kernels, compiled, when its source has
 * changed, against that kernel's headers, which are downloaded into the cache. Blocks for a few seconds the first
 * time.
 */
export function kernelModule(name: string, { version }: GuestKernel): string {
  const source = join(programsDir, `${name}.c`);
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  return cached(`module-${name}-${version}-${hash}`, (path) => {
    const work = mkdtempSync(join(tmpdir(), 'virtio-trace-module-'));
    try {
      const headers = headersOf(version, work);
      const dir = join(work, 'module');
      cpSync(source, join(dir, `${name}.c`));
      writeFileSync(join(dir, 'Makefile'), `obj-m := ${name}.o\n`);
      // without types for BPF, which would need pahole
      tool('make', ['-C', headers, `M=${dir}`, 'CONFIG_DEBUG_INFO_BTF_MODULES=', 'modules']);
      copyFileSync(join(dir, `${name}.ko`), path);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

/** The three header packages in one tree, as after their installation. */
function headersOf(version: string, work: string): string {
  // 6.1.0-57-amd64: common headers 6.1.0-57-common, tools of 6.1; newer ones have one version for all
  const release = version.replace(/-[a-z0-9]+$/, '');
  const tools = release.includes('+') ? release : release.replace(/\.\d+-\d+$/, '');
  for (const name of [`linux-headers-${version}`, `linux-headers-${release}-common`, `linux-kbuild-${tools}`])
    cpSync(join(debianPackage(name), 'usr'), join(work, 'usr'), { recursive: true, verbatimSymlinks: true });
  const headers = join(work, 'usr/src', `linux-headers-${version}`);
  const makefile = join(headers, 'Makefile');
  writeFileSync(makefile, readFileSync(makefile, 'utf8').replace('/usr/src', join(work, 'usr/src')));
  return headers;
}
