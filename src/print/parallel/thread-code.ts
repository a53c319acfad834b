import type { WorkerOptions } from 'node:worker_threads';

/** The script of a printing thread; the single executable has its own, tools/single/inside/thread-code.ts. */
export function threadCode(): { readonly script: URL | string; readonly options: WorkerOptions } {
  return { script: new URL('./thread.js', import.meta.url), options: {} };
}
