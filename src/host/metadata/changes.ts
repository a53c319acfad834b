import type { MetadataDigests } from '../../protocol/control.ts';
import { digestsOf, groupOf } from '../../protocol/metadata-groups.ts';
import type { ControlClient } from '../control/client.ts';
import { OrderRefused } from '../control/failures.ts';
import { readMetadataArchive } from '../../trace/metadata/archive.ts';
import { packContents } from './pack.ts';

type Contents = ReadonlyMap<string, Buffer>;

/** A guest's metadata, packed and parsed. */
export interface FetchedMetadata {
  readonly packed: Buffer;
  readonly contents: Contents;
}

/**
 * Fetches all of a guest's metadata; the guest sends only what differs from `known`. A group is taken from `known`
 * only if it has the digest that the agent has just computed from its own files. An older agent sends everything.
 * Throws Failure.
 */
export async function fetchMetadata(
  client: ControlClient,
  known: Contents | undefined,
): Promise<FetchedMetadata> {
  const changes = known === undefined ? undefined : await fetchChanges(client, digestsOf(known));
  if (known === undefined || changes === undefined) {
    const packed = await client.metadata();
    return { packed, contents: await readMetadataArchive([packed]) };
  }
  const { packed, contents, same } = changes;
  if (same.size === 0) return { packed, contents };
  const whole = new Map(contents);
  for (const [name, content] of known) {
    const group = groupOf(name);
    if (group !== undefined && same.has(group) && !whole.has(name)) whole.set(name, content);
  }
  return { packed: await packContents(whole), contents: whole };
}

/**
 * Fetches what differs from metadata with these digests, and the names of unchanged groups; undefined when the agent is too old. Throws
 * Failure.
 */
export async function fetchChanges(
  client: ControlClient,
  digests: MetadataDigests,
): Promise<(FetchedMetadata & { readonly same: ReadonlySet<string> }) | undefined> {
  try {
    const { packed, same } = await client.changedMetadata(digests);
    return { packed, contents: await readMetadataArchive([packed]), same: new Set(same) };
  } catch (cause) {
    if (cause instanceof OrderRefused && cause.code === 'unknown-field') return undefined;
    throw cause;
  }
}
