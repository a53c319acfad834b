import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, Failure } from '../base/failure.ts';
import { errorCode } from '../base/error-code.ts';

/** An instance that is there, and whether we made it: only then is it ours to remove. */
export interface Instance {
  readonly name: string;
  readonly made: boolean;
}

const maxNameLength = 64;
const removeRetryMs = 20;
const removeAttempts = 100;

/** Why `name` cannot name an instance; undefined when it can. */
export function instanceNameFault(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > maxNameLength) return `it is longer than ${maxNameLength} characters`;
  if (name.startsWith('.')) return 'it begins with a dot';
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) return 'only letters, digits, "_", "." and "-" may be in it';
  return undefined;
}

/** Makes the instance when it is not there. Throws a Failure that names it and the remedy. Does not wait. */
export function ensureInstance(root: string, name: string): Instance {
  const fault = instanceNameFault(name);
  if (fault !== undefined) {
    throw new Failure(
      exitCode.usage,
      `instance name ${JSON.stringify(name.slice(0, 80))} will not do: ${fault}`,
    );
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
  const message = `trace instance ${path} cannot be made: ${errno}`;
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
        'this kernel has no trace instances: trace without one',
        options,
      );
    case 'ENOMEM':
      return new Failure(
        exitCode.failed,
        message,
        'free memory, or remove another instance by rmdir',
        options,
      );
    default:
      return new Failure(
        exitCode.failed,
        message,
        'make it by hand with mkdir to see what the kernel says',
        options,
      );
  }
}

/**
 * Removes an instance, which must hold no open descriptor: the kernel answers EBUSY until the last one, in whatever
 * process, is closed, so it is asked a hundred times, 20 ms apart. An instance that is gone already is fine. Throws a Failure.
 */
export async function removeInstance(root: string, name: string): Promise<void> {
  const path = join(root, 'instances', name);
  for (let attempt = 1; ; attempt++) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      const errno = errorCode(error);
      if (errno === 'ENOENT') return;
      if (errno !== 'EBUSY' || attempt === removeAttempts) {
        const remedy = errno === 'EBUSY' ? `close what reads it, then: rmdir ${path}` : `rmdir ${path}`;
        throw new Failure(exitCode.failed, `trace instance ${path} stays: ${errno}`, remedy, {
          cause: error,
        });
      }
    }
    await sleep(removeRetryMs);
  }
}
