/** Replaces src/supervisor/workers/worker-command.ts: a worker is this executable, run again. */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { lendingFd } from '../../../src/protocol/ipc.ts';
import type { WorkerCommand } from '../../../src/supervisor/workers/worker-command.ts';
import { loadLent, nativePart } from './native-part.ts';

export const workerWord = 'worker';

/** The first descriptor after those that every worker has. */
const nativePartFd = lendingFd + 1;

/**
 * These flags have the effect of `--jitless`. That flag itself could only be set in NODE_OPTIONS here, where it causes a
 * warning on stderr for each worker; memory and startup time are the same.
 */
const noCompilers = ['--no-opt', '--no-sparkplug', '--no-maglev', '--regexp-interpret-all'];

export function workerCommand(): WorkerCommand {
  return {
    // not the path of the executable: a package update may have put another version there
    file: '/proc/self/exe',
    args: [workerWord],
    // the only option that cannot be set at run time; an executable takes Node's options only from NODE_OPTIONS
    env: { NODE_OPTIONS: '--v8-pool-size=0' },
    lent: [nativePart().fd],
  };
}

/** Must be called before any code of the worker is loaded. */
export function becomeWorker(program: string): void {
  for (const flag of noCompilers) setFlagsFromString(flag);
  // the kernel named this process after /proc/self/exe, which is not a useful name
  writeFileSync('/proc/self/comm', program);
  loadLent(nativePartFd);
}
