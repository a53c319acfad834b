import type { TraceRequest } from '../../protocol/control.ts';

/** The settings that are lists of functions, and their files. */
export const functionFiles = {
  functionFilter: 'set_ftrace_filter',
  functionNotrace: 'set_ftrace_notrace',
  graphFunctions: 'set_graph_function',
} as const satisfies { readonly [Field in keyof TraceRequest]?: string };
export type FunctionField = keyof typeof functionFiles;

export const functionFields: readonly FunctionField[] = [
  'functionFilter',
  'functionNotrace',
  'graphFunctions',
];

/**
 * The lines to write to a file to restore its current list of functions. Emptying the file keeps the triggers
 * (`vfs_read:traceon:unlimited`) and removes functions and entries that wait for a module (`*:mod:ext4`).
 * @param text of the file: one function per line, followed by ` [module]` if it belongs to a module; `#` lines for
 * "all" or "none"
 */
export function listedFunctions(field: FunctionField, text: string): string[] {
  const entries = text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('#')) return [];
    if (line.includes(':')) return /^[^:]*:mod:[^:]+$/.test(line) ? [line] : [];
    const [, name = line, module] = /^(.*) \[(.*)\]$/.exec(line) ?? [];
    // set_graph_function is the only file that does not distinguish modules
    return module === undefined || field === 'graphFunctions' ? [name] : [`${name}:mod:${module}`];
  });
  return [...new Set(entries)];
}
