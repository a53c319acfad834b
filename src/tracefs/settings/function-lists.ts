import type { TraceRequest } from '../../protocol/control.ts';

/** Settings that are lists of functions, and the file of each. */
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
 * What is to be written for a list of functions to be again as its file shows it now. Emptying the file keeps the
 * triggers (`vfs_read:traceon:unlimited`) and takes away functions and what waits for a module (`*:mod:ext4`).
 * @param text of the file: a function a line, those of modules with ` [module]` behind, `#` lines for "all" or "none"
 */
export function listedFunctions(field: FunctionField, text: string): string[] {
  const entries = text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('#')) return [];
    if (line.includes(':')) return /^[^:]*:mod:[^:]+$/.test(line) ? [line] : [];
    const [, name = line, module] = /^(.*) \[(.*)\]$/.exec(line) ?? [];
    // Only set_graph_function cannot tell modules apart.
    return module === undefined || field === 'graphFunctions' ? [name] : [`${name}:mod:${module}`];
  });
  return [...new Set(entries)];
}
