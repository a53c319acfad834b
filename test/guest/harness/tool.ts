import { spawnSync } from 'node:child_process';
import { Failure, exitCode } from '../../../src/base/failure.ts';

/** Runs a host program to its end (blocks) and returns its stdout. Throws `Failure` when it is missing or fails. */
export function tool(
  command: string,
  args: readonly string[],
  options: { cwd?: string; input?: string } = {},
) {
  const { cwd, input } = options;
  const done = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? {} : { input }),
  });
  if (done.error !== undefined) {
    throw new Failure(
      exitCode.missing,
      `cannot run ${command}: ${done.error.message}`,
      'node tools/bootstrap.mjs --guest --arm64 -- true installs what the guest harness needs',
    );
  }
  if (done.status !== 0) {
    const how = done.signal ?? `exit code ${String(done.status)}`;
    throw new Failure(exitCode.failed, `${command} ${args.join(' ')}: ${how}: ${done.stderr.trim()}`);
  }
  return done.stdout;
}
