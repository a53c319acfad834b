import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** How the command that ran during a recording ended. */
export interface CommandEnd {
  /** Null when a signal ended the command. */
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** Checks, before anything is started, whether a command can be run. @throws Failure (usage) */
export function checkCommand(command: readonly string[]): void {
  const [program] = command;
  if (program === undefined) return;
  const found = candidates(program).map(faultOf);
  if (found.includes(undefined)) return;
  const why = found.includes('EACCES') ? 'permission denied' : 'no such command';
  throw new Failure(exitCode.usage, `${quoted(program)}: ${why}`, 'give a command that runs on this host');
}

/** Runs the command; `ended` is called once, even when it could not be started. Its output goes to stdout or stderr. */
export function startCommand(
  command: readonly string[],
  output: 'stdout' | 'stderr',
  ended: (end: CommandEnd | Failure) => void,
): ChildProcess {
  const [program = '', ...words] = command;
  const child = spawn(program, words, { stdio: ['inherit', output === 'stdout' ? 1 : 2, 'inherit'] });
  child.on('exit', (code, signal) => ended({ exitCode: code, signal }));
  child.on('error', (cause) => {
    const message = `cannot run ${quoted(program)}: ${codeOf(cause)}`;
    ended(new Failure(exitCode.usage, message, 'give another command', { cause }));
  });
  return child;
}

/** The directories that execvp(3) searches. */
function candidates(program: string): string[] {
  if (program.includes('/')) return [program];
  if (program === '') return [];
  return (process.env['PATH'] ?? '/bin:/usr/bin').split(delimiter).map((dir) => join(dir, program));
}

function faultOf(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? undefined : 'EACCES';
  } catch (cause) {
    return codeOf(cause);
  }
}
