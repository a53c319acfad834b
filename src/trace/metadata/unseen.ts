/** Kinds of lines that the kernel writes only to the top-level buffer by default. */
export const topLevelLines = ['trace_marker', 'trace_printk'] as const;
export type TopLevelLine = (typeof topLevelLines)[number];

/**
 * Which of `topLevelLines` did not go to the traced buffer; undefined if unknown.
 * @param instance the tracefs instance, `null` for the top level; undefined if unknown
 * @param options text of its `trace_options`; a missing option means that the kernel does not have the feature
 */
export function unseenLines(
  instance: string | null | undefined,
  options: string | undefined,
): TopLevelLine[] | undefined {
  const isTop = instance === null;
  if (instance === undefined || (options === undefined && !isTop)) return undefined;
  const has = (option: string): boolean => new RegExp(`^${option}$`, 'm').test(options ?? '');
  const seen: Record<TopLevelLine, boolean> = {
    trace_marker: isTop || has('copy_trace_marker'),
    trace_printk: isTop ? !has('notrace_printk_dest') : has('trace_printk_dest'),
  };
  return topLevelLines.filter((line) => !seen[line]);
}

/** Suffix for the name of the program that wrote a file: the file format has no better place for it. */
export function unseenNote(unseen: readonly TopLevelLine[] | undefined): string {
  return unseen === undefined || unseen.length === 0 ? '' : ` (without ${unseen.join(', ')})`;
}

/** Splits a writer's name into the program and the note of `unseenNote`; `unseen` is undefined without a note. */
export function withoutNote(writer: string): { readonly writer: string; readonly unseen?: TopLevelLine[] } {
  const [, name, listed] = /^(virtio-trace \S+) \(without ([\w, ]{1,80})\)$/.exec(writer) ?? [];
  if (name === undefined || listed === undefined) return { writer };
  const lines = listed.split(', ');
  return { writer: name, unseen: topLevelLines.filter((line) => lines.includes(line)) };
}
