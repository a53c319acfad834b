import { rmSync } from 'node:fs';

/** Files that are written beside the one whose name they will take. */
const unfinished = new Set<string>();

/** Remembers a file that must not outlast this process when it is not finished. @returns call it when it is, or gone */
export function unfinishedFile(path: string): () => void {
  unfinished.add(path);
  return () => unfinished.delete(path);
}

/** Removes what is half-written, for a process that ends now. The writers may still be at it. */
export function removeUnfinishedFiles(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}
