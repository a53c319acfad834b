/** In place of src/supervisor/workers/worker-command.ts: a worker is this executable run again. */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { lendingFd } from '../../../src/protocol/ipc.ts';
import type { WorkerCommand } from '../../../src/supervisor/workers/worker-command.ts';
import { loadLent, nativePart } from './native-part.ts';

export const workerWord = 'worker';

/** The first descriptor behind the one that every worker has. */
const nativePartFd = lendingFd + 1;

/**
 * What `--jitless` does to a worker. That flag itself can only be given in NODE_OPTIONS here, where it cannot be told
 * from a warning on stderr for each worker; memory and the time to be ready are the same.
 */
const noCompilers = ['--no-opt', '--no-sparkplug', '--no-maglev', '--regexp-interpret-all'];

export function workerCommand(): WorkerCommand {
  return {
    // Not our path: a package update may have put another version there.
    file: '/proc/self/exe',
    args: [workerWord],
    // The one option that comes too late once we run; an executable takes Node's options from here alone.
    env: { NODE_OPTIONS: '--v8-pool-size=0' },
    lent: [nativePart().fd],
  };
}

/** To be called before anything of the worker is loaded. */
export function becomeWorker(program: string): void {
  for (const flag of noCompilers) setFlagsFromString(flag);
  // The kernel named us after the path that we were started by, which is no name.
  writeFileSync('/proc/self/comm', program);
  loadLent(nativePartFd);
}
