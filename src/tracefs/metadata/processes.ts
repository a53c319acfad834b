import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorCode } from '../../base/error-code.ts';

/** Maximum number of listed tasks: the kernel can save names for as many. Their text is about 1 MB. */
const mostTasks = 32_768;
/** Tasks read between two turns of the event loop: about 2 ms natively, 20 ms under emulation. */
const tasksPerTurn = 64;

/**
 * A line `tid comm tgid ppid` for each thread of the machine, unordered, at most `maxTasks` lines. They give the
 * process of every thread, even of threads without events. A name may contain whitespace, but no line break. Undefined
 * if the directory `proc` does not exist. The event loop runs meanwhile.
 * @param proc where procfs is mounted
 */
export async function readProcesses(proc: string, maxTasks = mostTasks): Promise<Buffer | undefined> {
  const lines: string[] = [];
  let asked = 0;
  for (const tgid of numbersIn(proc)) {
    for (const tid of numbersIn(join(proc, tgid, 'task'))) {
      if (lines.length === maxTasks) return Buffer.from(lines.join(''), 'latin1');
      if (++asked % tasksPerTurn === 0) await nextTurn();
      const line = taskLine(tgid, readIfThere(join(proc, tgid, 'task', tid, 'stat')));
      if (line !== undefined) lines.push(line);
    }
  }
  return lines.length === 0 ? undefined : Buffer.from(lines.join(''), 'latin1');
}

/**
 * @param stat text of `/proc/TGID/task/TID/stat`: `5 (a b) S 2 …`; the name may contain any bytes
 * @returns undefined for any other text
 */
export function taskLine(tgid: string, stat: string): string | undefined {
  // The name ends at the last parenthesis: the fields after it contain none.
  const [, tid, comm = '', ppid] = /^(\d+) \(([^]*)\) \S (\d+) /.exec(stat) ?? [];
  if (tid === undefined || ppid === undefined) return undefined;
  // oxlint-disable-next-line no-control-regex -- a task's name may contain them, a line must not
  return `${tid} ${comm.replace(/[\x00-\x1f\x7f]/g, '?')} ${tgid} ${ppid}\n`;
}

function numbersIn(dir: string): string[] {
  return unlessGone(() => readdirSync(dir), []).filter((name) => /^\d+$/.test(name));
}

function readIfThere(path: string): string {
  return unlessGone(() => readFileSync(path, 'latin1'), '');
}

/** Tasks may exit at any time: ENOENT before the open, ESRCH after it. */
function unlessGone<T>(read: () => T, gone: T): T {
  try {
    return read();
  } catch (error) {
    if (errorCode(error) !== '') return gone;
    throw error;
  }
}
