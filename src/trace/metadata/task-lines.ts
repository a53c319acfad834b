import { linesOf } from '../../base/lines.ts';

/** Maximum length of a task name (TASK_COMM_LEN without the NUL). */
const maxNameBytes = 15;
const maxPid = 1 << 22;
/**
 * Limits for the number of names and for the length of one. The text may be hostile, and every event may be printed
 * with its task's name.
 */
const maxNames = 1 << 20;
const maxKeptBytes = 256;

/**
 * Cleans the text of `saved_cmdlines` to one line `PID NAME` per task. A task may choose any name (`PR_SET_NAME`): the
 * kernel prints a line break in it unchanged, and readers such as trace-cmd stop at the first line that is not
 * `PID NAME`, so all later tasks lose their names. Control characters become `\n` or `\x1b`, an empty name becomes
 * `(empty)`; a line that does not begin with a PID is the rest of the previous name.
 *
 * The rest of a name may look like a task line (`two\n77 lines`); the two cannot be told apart. If that task has
 * another line, the other line wins.
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
  // a line that may be the rest of a name counts only if its pid has no other line
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

/** The lines of `saved_tgids` that have the form `PID TGID`. */
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
  // a line break at the end of a name, or of the file, leaves an empty rest
  const text = name.replace(/\n+$/, '');
  if (text.trim() === '') return '(empty)';
  // oxlint-disable-next-line no-control-regex -- this replaces control characters
  return text.replaceAll(/[\x00-\x1f\x7f]/g, (character) =>
    character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Parses `saved_cmdlines`: names by pid; the last line for a pid counts. */
export function taskNamesOf(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of linesOf(text)) {
    if (names.size >= maxNames) break;
    const [, pid, name] = /^ *(\d{1,7}) (.*)$/.exec(line) ?? [];
    if (pid !== undefined && name !== undefined)
      names.set(Number(pid), Buffer.from(name.slice(0, maxKeptBytes), 'latin1').toString());
  }
  return names;
}
