import { createHash } from 'node:crypto';
import type { MetadataDigests } from './control.ts';

/** Maximum number of groups that an order may name. A kernel with all of its modules has about 200. */
export const maxGroups = 600;
const groupName = /^(?:events\/[\w.-]{1,64}|kallsyms|printk_formats)$/;
const digestForm = /^[0-9a-f]{32}$/;

/**
 * The group of a metadata file; undefined if it is in none. Groups are the parts of a guest's metadata that are large
 * and seldom change: the formats of each event system, and the symbols.
 */
export function groupOf(file: string): string | undefined {
  if (file === 'kallsyms' || file === 'printk_formats') return file;
  return /^(events\/[^/]+)\/[^/]+\/format$/.exec(file)?.[1];
}

/** Whether an order can name a group. A group that cannot be named is sent every time. */
export function isGroup(name: string): boolean {
  return groupName.test(name);
}

export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && digestForm.test(value);
}

/**
 * The digest of a group's files, in any order: 128 bits of a SHA-256 over their names and contents. A guest that
 * finds a collision can only deceive the reader of its own trace, and it can do that anyway.
 */
export function digestOf(files: Iterable<readonly [name: string, content: Uint8Array]>): string {
  const hash = createHash('sha256');
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  for (const [name, content] of sorted) hash.update(`${name}\n${content.length}\n`).update(content);
  return hash.digest('hex').slice(0, 32);
}

/** Digests of all groups that an order can name. Takes some ms for 3 MB. */
export function digestsOf(contents: ReadonlyMap<string, Buffer>): MetadataDigests {
  const groups = new Map<string, (readonly [name: string, content: Buffer])[]>();
  for (const entry of contents) {
    const group = groupOf(entry[0]);
    if (group === undefined || !isGroup(group)) continue;
    const files = groups.get(group);
    if (files === undefined) groups.set(group, [entry]);
    else files.push(entry);
  }
  const named = [...groups].slice(0, maxGroups);
  return Object.fromEntries(named.map(([group, files]): [string, string] => [group, digestOf(files)]));
}
