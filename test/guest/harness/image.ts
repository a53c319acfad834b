import { existsSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, utimesSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';
import { archive, joined } from './cpio.ts';
import type { Entry, Tree } from './cpio.ts';
import { debianPackage } from './debian-package.ts';
import type { Foreign } from './foreign.ts';
import { foreignLibraries, foreignPackage, foreignParts } from './foreign-parts.ts';
import { virtioModules } from './kernel.ts';
import type { GuestKernel } from './kernel.ts';
import { cacheDir, programsDir, repoRoot } from './paths.ts';
import { productionPackages } from './production-packages.ts';
import { program } from './programs.ts';
import { tool } from './tool.ts';

/** The agent's directory in the guest; `trace-agent` is on the PATH. */
export const agentDir = '/opt/virtio-trace';

const guestPrograms = ['shell-server', 'port-links', 'markers', 'after-restore'] as const;

/**
 * Path of an initramfs for `kernel`: busybox, the virtio modules, this Node, the guest's programs, and the agent as
 * it is now in `dist`. Cached by content: only a changed part is packed again. Blocks, the first time for some
 * seconds.
 */
export function guestImage(kernel: GuestKernel): string {
  const { architecture } = kernel;
  const node = architecture === undefined ? process.execPath : foreignParts(architecture).node;
  return image(kernel, [
    archive('node', executableTree('node', node, architecture)),
    archive('agent', agentTree(architecture)),
  ]);
}

/** Like `guestImage`, but without Node and packages: the agent is that single executable. */
export function singleFileImage(kernel: GuestKernel, agent: string): string {
  return image(kernel, [archive('single', executableTree('trace-agent', agent, kernel.architecture))]);
}

function image(kernel: GuestKernel, agent: readonly string[]): string {
  const image = joined('image', [
    archive('base', baseTree(kernel)),
    archive('programs', programsTree(kernel.architecture)),
    ...agent,
  ]);
  const now = new Date();
  utimesSync(image, now, now);
  forgetOld();
  return image;
}

function file(from: string, mode = 0o644): Entry {
  return { kind: 'file', from, mode };
}

function data(text: string | Uint8Array, mode = 0o644): Entry {
  return { kind: 'data', data: text, mode };
}

function baseTree(kernel: GuestKernel): Tree {
  const tree = new Map<string, Entry>();
  for (const dir of [
    'proc',
    'sys',
    'dev',
    'run',
    'root',
    'mnt',
    'usr/bin',
    'usr/sbin',
    'sbin',
    'etc',
    'opt',
  ]) {
    tree.set(dir, { kind: 'directory', mode: 0o755 });
  }
  tree.set('tmp', { kind: 'directory', mode: 0o1777 });
  const busybox = join(debianPackage('busybox-static'), 'bin/busybox');
  const { architecture } = kernel;
  // of the same release, so it has the same applets
  const itsOwn =
    architecture === undefined
      ? busybox
      : join(foreignPackage('busybox-static', architecture), 'bin/busybox');
  tree.set('bin/busybox', file(itsOwn, 0o755));
  for (const applet of tool(busybox, ['--list-full']).split('\n')) {
    if (applet !== '' && applet !== 'bin/busybox') tree.set(applet, { kind: 'link', target: '/bin/busybox' });
  }
  tree.set('etc/passwd', data('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n'));
  tree.set('etc/group', data('root:x:0:\nnogroup:x:65534:\n'));
  for (const [at, entry] of moduleEntries(kernel)) tree.set(at, entry);
  return tree;
}

/** A program on the PATH, with the libraries that it needs. */
function executableTree(name: string, path: string, architecture: Foreign | undefined): Tree {
  const executable = realpathSync(path);
  const tree = new Map<string, Entry>([[`usr/bin/${name}`, file(executable, 0o755)]]);
  if (architecture !== undefined) {
    for (const [at, from] of foreignLibraries(architecture)) tree.set(at, file(from, 0o755));
    return tree;
  }
  for (const library of sharedLibraries(executable)) {
    tree.set(library.slice(1), file(realpathSync(library), 0o755));
  }
  return tree;
}

function moduleEntries(kernel: GuestKernel): Tree {
  const tree = new Map<string, Entry>();
  const all =
    kernel.modules === undefined ? [] : readdirSync(kernel.modules, { recursive: true, encoding: 'utf8' });
  const order: string[] = [];
  for (const name of virtioModules) {
    // A module that does not exist is built in.
    const path = all.find((candidate) => /^(\w+)\.ko(?:\.\w+)?$/.exec(basename(candidate))?.[1] === name);
    if (path === undefined || kernel.modules === undefined) continue;
    tree.set(`lib/virtio/${name}.ko`, moduleEntry(join(kernel.modules, path)));
    order.push(`${name}.ko`);
  }
  return tree.set('lib/virtio/order', data(order.map((name) => `${name}\n`).join('')));
}

/** A module in the form that insmod accepts. Blocks. */
export function moduleBytes(path: string): Uint8Array {
  const entry = moduleEntry(path);
  return entry.kind === 'data' && typeof entry.data !== 'string' ? entry.data : readFileSync(path);
}

/** insmod takes plain modules only; distributions compress them in three ways. */
function moduleEntry(path: string): Entry {
  const unpackers: Record<string, string> = { '.xz': 'xz', '.zst': 'zstd', '.gz': 'gzip' };
  const unpacker = unpackers[extname(path)];
  if (unpacker === undefined) return file(path);
  const hex = tool('sh', ['-ec', '"$1" -dc "$2" | od -An -v -tx1', 'sh', unpacker, path]);
  return data(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

/** The libraries that the dynamic linker would load, each by the path that it searches. */
function sharedLibraries(executable: string): string[] {
  const lines = tool('ldd', [executable]).split('\n');
  return lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function programsTree(architecture: Foreign | undefined): Tree {
  const tree = new Map<string, Entry>();
  tree.set('init', data(readFileSync(join(programsDir, 'init.sh')), 0o755));
  for (const name of guestPrograms) tree.set(`usr/bin/${name}`, file(program(name, architecture), 0o755));
  return tree;
}

function agentTree(architecture: Foreign | undefined): Tree {
  const tree = new Map<string, Entry>();
  const at = (path: string) => join(agentDir, path).slice(1);
  tree.set(at('package.json'), file(join(repoRoot, 'package.json')));
  const dirs = [join(repoRoot, 'dist/bin'), join(repoRoot, 'dist/src'), ...productionPackages(repoRoot)];
  for (const path of dirs.flatMap(runtimeFiles)) tree.set(at(relative(repoRoot, path)), file(path));
  if (architecture !== undefined) {
    const { koffi } = foreignParts(architecture);
    for (const path of runtimeFiles(koffi))
      tree.set(
        at(join('node_modules/@koromix', `koffi-linux-${architecture}`, relative(koffi, path))),
        file(path),
      );
  }
  const wrapper = `#!/bin/sh\nexec /usr/bin/node ${agentDir}/dist/bin/trace-agent.js "$@"\n`;
  tree.set('usr/bin/trace-agent', data(wrapper, 0o755));
  return tree;
}

/** Files below `dir` that a running program may need; a guest keeps all of them in memory. */
function runtimeFiles(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const wanted = new Set(['.js', '.cjs', '.mjs', '.json', '.node', '.wasm']);
  const skipped = new Set([
    'node_modules',
    'musl_x64',
    'musl_arm64',
    'doc',
    'docs',
    'test',
    'benchmarks',
    'vendor',
  ]);
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : runtimeFiles(path);
    return wanted.has(extname(entry.name)) ? [path] : [];
  });
}

/** Deletes images that no test has used for a day; QEMU reads its image within a second. */
function forgetOld(): void {
  const dayMs = 24 * 3600 * 1000;
  for (const name of readdirSync(cacheDir())) {
    const path = join(cacheDir(), name);
    if (!/^(image|agent|single|executables|apt|.lock)-/.test(name)) continue;
    if (Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > dayMs) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
