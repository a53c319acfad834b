import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** The kernel's NAME_MAX. */
const maxNameBytes = 255;
/** The kernel's PATH_MAX of 4096, less the NUL. */
const maxPathBytes = 4095;

/** Checks the name of one file in a directory: a port, a tracefs instance. Throws Failure (usage). */
export function parseFileName(text: string, name: string): string {
  const remedy = 'use a name, not a path';
  if (text === '') throw new Failure(exitCode.usage, `${name} is empty`, remedy);
  if (/[/\0]/.test(text) || text === '.' || text === '..')
    throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is not a file name`, remedy);
  if (Buffer.byteLength(text) > maxNameBytes)
    throw new Failure(exitCode.usage, `${name}: the name is longer than ${maxNameBytes} bytes`, remedy);
  return text;
}

/** Checks a port name with one `%d` for the CPU number. Throws Failure (usage). */
export function parsePortTemplate(text: string, name: string): string {
  parseFileName(text, name);
  if (text.split('%').length !== 2 || !text.includes('%d')) {
    const remedy = 'put %d once where the CPU number goes, e.g. trace-path-cpu%d';
    throw new Failure(exitCode.usage, `${name}: ${quoted(text)} does not have exactly one %d`, remedy);
  }
  return text;
}

/** Checks the path of a file or directory, which need not exist yet. Throws Failure (usage). */
export function parsePath(text: string, name: string): string {
  if (text === '') throw new Failure(exitCode.usage, `${name} is empty`, 'specify a path');
  if (text.includes('\0') || Buffer.byteLength(text) > maxPathBytes)
    throw new Failure(exitCode.usage, `${name}: not a valid path`, 'specify another path');
  return text;
}

/** Checks the syntax of a user or group name or id, but not whether it exists. Throws Failure (usage). */
export function parseUser(text: string, name: string): string {
  if (/^[\w.][\w.@-]*\$?$/.test(text)) return text;
  const message = `${name}: ${quoted(text)} is not a valid name`;
  throw new Failure(exitCode.usage, message, 'use a name from /etc/passwd or /etc/group, or an id');
}
