import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { cached } from './cached.ts';
import { cacheDir } from './paths.ts';
import { tool } from './tool.ts';

/** One path of the guest's root file system. */
export type Entry =
  | { readonly kind: 'directory'; readonly mode: number }
  /** A host file, with its current content. */
  | { readonly kind: 'file'; readonly from: string; readonly mode: number }
  | { readonly kind: 'data'; readonly data: string | Uint8Array; readonly mode: number }
  | { readonly kind: 'link'; readonly target: string };

/** Entries by guest path, without the leading slash. */
export type Tree = ReadonlyMap<string, Entry>;

/**
 * Path of an uncompressed newc archive of `tree` in the cache; everything belongs to root. Packed only when the
 * tree has changed: host files are compared by path, size and modification time, the rest by content. Blocks.
 */
export function archive(name: string, tree: Tree): string {
  return cached(`${name}-${treeHash(tree)}.cpio`, (path) => {
    const root = mkdtempSync(join(cacheDir(), '.staging-'));
    try {
      chmodSync(root, 0o755);
      for (const [at, entry] of tree) place(join(root, at), entry);
      const pack = 'find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 -F "$1"';
      tool('sh', ['-ec', pack, 'sh', path], { cwd: root });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
}

function place(path: string, entry: Entry): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  switch (entry.kind) {
    case 'directory':
      mkdirSync(path, { recursive: true });
      chmodSync(path, entry.mode);
      return;
    case 'file':
      copyFileSync(entry.from, path);
      chmodSync(path, entry.mode);
      return;
    case 'data':
      writeFileSync(path, entry.data);
      chmodSync(path, entry.mode);
      return;
    case 'link':
      symlinkSync(entry.target, path);
      return;
    default:
      entry satisfies never;
  }
}

/**
 * Small files are hashed by content, because a build rewrites unchanged files; a program as large as Node by its
 * date.
 */
function fileHash(path: string): string {
  const { size, mtimeMs } = statSync(path);
  if (size > 16 << 20) return `${path}\0${size}\0${mtimeMs}`;
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function treeHash(tree: Tree): string {
  const hash = createHash('sha256');
  for (const [at, entry] of tree) {
    hash.update(`${at}\0${entry.kind}\0`);
    if (entry.kind === 'file') {
      hash.update(`${fileHash(entry.from)}\0${entry.mode}`);
    } else if (entry.kind === 'data') {
      hash.update(`${entry.mode}\0`).update(entry.data);
    } else {
      hash.update(entry.kind === 'link' ? entry.target : String(entry.mode));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** Path in the cache of the concatenated parts, which the kernel unpacks one after another. */
export function joined(name: string, parts: readonly string[]): string {
  const hash = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
  return cached(`${name}-${hash}.cpio`, (path) => {
    for (const part of parts) writeFileSync(path, readFileSync(part), { flag: 'a' });
  });
}
