import type { Tracefs } from './tracefs.ts';

/** The last entry of an instance's `error_log`. */
export interface KernelError {
  /** The kernel's own words, such as `Field not found`. */
  readonly words: string;
  /** The string whose write caused the error. */
  readonly command: string;
  /** Index into `command` that the kernel's caret points to. */
  readonly column: number;
}

/** Parses the last entry of an `error_log`; undefined when it is empty or malformed. */
export function lastKernelError(log: string): KernelError | undefined {
  // [  774.090718] event filter parse error: error: Field not found
  //   Command: nofield == 1
  //                    ^
  const entries = [
    ...log.matchAll(/^\[ *[\d.]+\] .*?error: (?:error: )?(.*)\n {2}Command: (.*)\n {2} {9}( *)\^/gm),
  ];
  const [, words, command, indent] = entries.at(-1) ?? [];
  if (words === undefined || command === undefined || indent === undefined) return undefined;
  return { words, command, column: indent.length };
}

/** The kernel's message for the command that it has just refused; undefined when there is none. */
export function kernelWords(tracefs: Tracefs, command: string): string | undefined {
  const last = lastKernelError(tracefs.readIfThere('error_log') ?? '');
  if (last?.command !== command) return undefined;
  return `${last.words}, at character ${last.column + 1} of "${command}"`;
}
