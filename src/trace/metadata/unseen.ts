/** Lines of a guest that its kernel gives to one buffer, the top level, unless it is told otherwise. */
export const topLevelLines = ['trace_marker', 'trace_printk'] as const;
export type TopLevelLine = (typeof topLevelLines)[number];

/**
 * Which of those the traced buffer did not get.
 * @param instance the tracefs instance, `null` for the top level; undefined: not known, as is the answer then and of an instance without
 * @param options text of its `trace_options`; a kernel that does not have an option cannot do what it is for
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

/** Behind the name of the program that wrote a file: its format has no better place. */
export function unseenNote(unseen: readonly TopLevelLine[] | undefined): string {
  return unseen === undefined || unseen.length === 0 ? '' : ` (without ${unseen.join(', ')})`;
}

/** The name of the program and that note; undefined where it tells nothing. */
export function withoutNote(writer: string): { readonly writer: string; readonly unseen?: TopLevelLine[] } {
  const [, name, listed] = /^(virtio-trace \S+) \(without ([\w, ]{1,80})\)$/.exec(writer) ?? [];
  if (name === undefined || listed === undefined) return { writer };
  const lines = listed.split(', ');
  return { writer: name, unseen: topLevelLines.filter((line) => lines.includes(line)) };
}
