import type { WorkerOptions } from 'node:worker_threads';

/**
 * The script of a printing thread, which the build bundles: loading its modules one by one takes three times as long.
 * The single executable has its own, tools/single/inside/thread-code.ts.
 */
export function threadCode(): { readonly script: URL | string; readonly options: WorkerOptions } {
  return { script: new URL('./thread.mjs', import.meta.url), options: {} };
}
