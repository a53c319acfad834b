import { rmSync } from 'node:fs';

/** Temporary files that will be renamed to their final name. */
const unfinished = new Set<string>();

/**
 * Registers a temporary file, or directory, to remove if this process ends early.
 * @returns a function that unregisters it
 */
export function unfinishedFile(path: string): () => void {
  unfinished.add(path);
  return () => unfinished.delete(path);
}

/** Removes all registered files, for a process that is about to exit. Their writers may still be running. */
export function removeUnfinishedFiles(): void {
  for (const path of unfinished) rmSync(path, { recursive: true, force: true });
}
