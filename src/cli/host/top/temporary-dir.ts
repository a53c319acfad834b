import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf, errorCode } from '../../../base/error-code.ts';
import { exitCode, Failure } from '../../../base/failure.ts';

const prefix = 'trace-host-top-';

/**
 * Creates a directory that only this user can read: a trace may tell secrets of the guests. Removes those of processes
 * that were killed. Throws Failure.
 */
export function temporaryDir(): string {
  const parent = tmpdir();
  try {
    removeLeft(parent);
    return mkdtempSync(join(parent, `${prefix}${process.pid}-`));
  } catch (cause) {
    throw new Failure(
      exitCode.failed,
      `cannot create a temporary directory in ${parent}: ${codeOf(cause)}`,
      'set TMPDIR to another directory',
      { cause },
    );
  }
}

function removeLeft(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(prefix) ? /^(\d{1,10})-/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid === undefined || isAlive(Number(pid))) continue;
    const path = join(parent, name);
    // another user may have made the name
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true && found.uid === process.getuid?.())
      rmSync(path, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return errorCode(cause) !== 'ESRCH';
  }
}
