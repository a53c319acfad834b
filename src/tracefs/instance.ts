import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, Failure } from '../base/failure.ts';
import { startTicks } from '../native/process/start-ticks.ts';
import { errorCode } from '../base/error-code.ts';

/** An existing instance, and whether this process created it; only in that case may it be removed. */
export interface Instance {
  readonly name: string;
  readonly made: boolean;
}

const maxNameLength = 64;
const removeRetryMs = 20;
const removeAttempts = 100;

/** The reason why `name` is not valid for an instance; undefined when it is valid. */
export function instanceNameFault(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > maxNameLength) return `it is longer than ${maxNameLength} characters`;
  if (name.startsWith('.')) return 'it begins with a dot';
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) return 'it may contain only letters, digits, "_", "." and "-"';
  return undefined;
}

/** Creates the instance if it does not exist. Throws Failure. Does not block. */
export function ensureInstance(root: string, name: string): Instance {
  const fault = instanceNameFault(name);
  if (fault !== undefined) {
    throw new Failure(exitCode.usage, `bad instance name ${JSON.stringify(name.slice(0, 80))}: ${fault}`);
  }
  const path = join(root, 'instances', name);
  try {
    mkdirSync(path);
    return { name, made: true };
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return { name, made: false };
    throw cannotMake(path, error);
  }
}

function cannotMake(path: string, error: unknown): Failure {
  const errno = errorCode(error);
  const message = `cannot create trace instance ${path}: ${errno}`;
  const options = { cause: error };
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Failure(
        exitCode.notPermitted,
        message,
        'run as root, with tracefs mounted read-write',
        options,
      );
    case 'ENOENT':
      return new Failure(
        exitCode.missing,
        message,
        'this kernel has no trace instances: trace without --instance',
        options,
      );
    case 'ENOMEM':
      return new Failure(
        exitCode.failed,
        message,
        'free memory, or remove another instance with rmdir',
        options,
      );
    default:
      return new Failure(
        exitCode.failed,
        message,
        'create it manually with mkdir to see what the kernel reports',
        options,
      );
  }
}

/**
 * Removes an instance. The kernel answers EBUSY until the last descriptor below it is closed, in any process, so this
 * tries a hundred times, 20 ms apart. It is not an error if the instance is already gone. Throws Failure.
 */
export async function removeInstance(root: string, name: string, attempts = removeAttempts): Promise<void> {
  const path = join(root, 'instances', name);
  for (let attempt = 1; ; attempt++) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      const errno = errorCode(error);
      if (errno === 'ENOENT') return;
      if (errno !== 'EBUSY' || attempt === attempts) {
        const remedy = errno === 'EBUSY' ? `close its readers, then: rmdir ${path}` : `rmdir ${path}`;
        throw new Failure(exitCode.failed, `cannot remove trace instance ${path}: ${errno}`, remedy, {
          cause: error,
        });
      }
    }
    await sleep(removeRetryMs);
  }
}

/** An instance name that only the process `pid` uses. It includes the start time, because pids are reused. */
export function nameOfProcess(prefix: string, pid = process.pid): string {
  return `${prefix}-${pid}-${startTicks(pid) ?? 0}`;
}

const staleAttempts = 25;

/**
 * Removes instances named by `nameOfProcess` whose process has ended. An instance that is still in use is kept, e.g. if
 * its process runs in another PID namespace: the kernel refuses to remove an instance whose rings are open.
 * @returns the names of the removed instances
 */
export async function removeStaleInstances(root: string, prefix: string): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of instancesOf(root)) {
    const [, pid, ticks] = /^-(\d{1,10})-(\d{1,20})$/.exec(name.slice(prefix.length)) ?? [];
    if (!name.startsWith(prefix) || pid === undefined) continue;
    if (startTicks(Number(pid)) === ticks) continue;
    try {
      await removeInstance(root, name, staleAttempts);
      removed.push(name);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }
  return removed;
}

/** The names of all instances; empty on a kernel that has none, or if this user may not see them. */
function instancesOf(root: string): readonly string[] {
  try {
    return readdirSync(join(root, 'instances'));
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return [];
  }
}
