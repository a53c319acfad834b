import { spawnSync } from 'node:child_process';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { errorCode } from '../../src/base/error-code.ts';

/**
 * Runs a command to its end. Blocks. @returns its stdout
 * @param from what to install if it is missing
 */
export function tool(command: string, args: readonly string[], from: string, cwd?: string): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd });
  if (errorCode(error) === 'ENOENT') throw missingTool(command, from);
  if (error !== undefined) throw error;
  if (status !== 0) throw new Failure(exitCode.failed, `${command} failed: ${stderr.trim()}`);
  return stdout;
}

/** Finds a package in `node_modules` that only this build needs. */
export function toolPackage<T>(name: string, find: () => T): T {
  try {
    return find();
  } catch (cause) {
    if (errorCode(cause) === 'ERR_MODULE_NOT_FOUND') throw missingTool(`the npm package ${name}`, 'npm ci');
    throw cause;
  }
}

function missingTool(name: string, remedy: string): Failure {
  return new Failure(exitCode.missing, `${name} is missing`, remedy);
}
