/** Longest name of a task (TASK_COMM_LEN less its NUL). */
const maxNameBytes = 15;
const maxPid = 1 << 22;

/**
 * The text of `saved_cmdlines`, a line for each task, with only names that fit on a line. A task may name itself
 * anything (`PR_SET_NAME`): the kernel writes a line break in it as one, and readers such as trace-cmd give up at the
 * first line that is none of `PID NAME`, so that all tasks behind it lose their names. Control characters become
 * `\n` or `\x1b`, an empty name becomes `(empty)`; what begins no task is the rest of the name before it.
 *
 * A rest that looks like a line of its own (`two\n77 lines`) cannot be told from one. Where it names a task that has
 * another line, that other line counts.
 */
export function cleanTaskNames(text: Buffer): Buffer {
  const tasks: { readonly pid: string; name: string; readonly maybeRest: boolean }[] = [];
  for (const line of text.toString('latin1').split('\n')) {
    const [, pid, name] = /^ *(\d{1,7}) (.*)$/s.exec(line) ?? [];
    const before = tasks.at(-1);
    const joinedBytes = (before?.name.length ?? maxNameBytes) + 1 + line.length;
    if (pid !== undefined && name !== undefined && Number(pid) <= maxPid)
      tasks.push({ pid, name, maybeRest: joinedBytes <= maxNameBytes });
    else if (before !== undefined && joinedBytes <= maxNameBytes) before.name += `\n${line}`;
  }
  // A break at the end of a name, or of the text, leaves an empty rest.
  const sure = new Set(tasks.filter(({ maybeRest }) => !maybeRest).map(({ pid }) => pid));
  const seen = new Set<string>();
  const lines: string[] = [];
  for (const { pid, name, maybeRest } of tasks) {
    if (seen.has(pid) || (maybeRest && sure.has(pid))) continue;
    seen.add(pid);
    lines.push(`${pid} ${visible(name)}\n`);
  }
  return Buffer.from(lines.join(''), 'latin1');
}

/** The lines of `saved_tgids` that are `PID TGID`. */
export function cleanTgids(text: Buffer): Buffer {
  const lines = text.toString('latin1').split('\n');
  return Buffer.from(
    lines
      .filter((line) => /^ *\d{1,7} \d{1,7}$/.test(line))
      .map((line) => `${line}\n`)
      .join(''),
    'latin1',
  );
}

function visible(name: string): string {
  const text = name.replace(/\n+$/, '');
  if (text.trim() === '') return '(empty)';
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll(/[\x00-\x1f\x7f]/g, (character) =>
    character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Names by pid of the text of `saved_cmdlines`; the last line of a pid counts. */
export function taskNamesOf(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [, pid, name] = /^ *(\d{1,7}) (.*)$/.exec(line) ?? [];
    if (pid !== undefined && name !== undefined)
      names.set(Number(pid), Buffer.from(name, 'latin1').toString());
  }
  return names;
}
