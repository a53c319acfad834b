/** Replaces src/print/parallel/thread-code.ts: the thread's script is in the executable. */
import { getAsset } from 'node:sea';
import type { WorkerOptions } from 'node:worker_threads';

export function threadCode(): { readonly script: string; readonly options: WorkerOptions } {
  return { script: getAsset('printing-thread.cjs', 'utf8'), options: { eval: true } };
}
