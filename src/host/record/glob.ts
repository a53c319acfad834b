/**
 * The kernel's glob of event names: `*`, `?`, and classes such as `[a-c_]` and `[!x]`; a bracket that nothing closes
 * stands for itself.
 */
export function globOf(pattern: string): RegExp {
  const source = pattern.replace(
    /\*+|\?|\[([!^]?)(\]?[^\]]*)\]|[\\^$.|+(){}[\]]/gs,
    (all, negated?: string, members?: string) => {
      if (all.startsWith('*')) return '.*';
      if (all === '?') return '.';
      if (members === undefined || members === '') return all.replace(/[^!]/g, '\\$&');
      return `[${negated === '' ? '' : '^'}${classOf(members)}]`;
    },
  );
  return new RegExp(`^${source}$`, 'su');
}

/** Ranges in order; one that runs backwards matches nothing, as a regular expression could not say. */
function classOf(members: string): string {
  return members.replace(/(.)-(.)|[\\\]^-]/gsu, (all, from?: string, to?: string) => {
    if (from === undefined || to === undefined) return `\\${all}`;
    return from <= to ? `${escaped(from)}-${escaped(to)}` : '';
  });
}

function escaped(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character;
}
