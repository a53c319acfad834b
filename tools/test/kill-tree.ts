import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Kills the children of this process that run `program`, their descendants, and those whose parent has ended if they
 * still write to its output. Blocks.
 */
export function killRunning(program: string): void {
  const parents = parentsOf();
  const doomed = [...parents]
    .filter(([pid, parent]) => parent === process.pid && wordsOf(pid).includes(program))
    .map(([pid]) => pid);
  const outputs = new Set(doomed.flatMap(outputsOf));
  for (const pid of parents.keys())
    if (!doomed.includes(pid) && outputsOf(pid).some((output) => outputs.has(output))) doomed.push(pid);
  // grows while it is read
  for (const pid of doomed)
    for (const [child, parent] of parents) if (parent === pid && !doomed.includes(child)) doomed.push(child);
  for (const pid of doomed) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
}

/** The parent of each process. */
function parentsOf(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    // behind the program's name, which may contain anything, are its state and its parent
    const stat = ofProcess(() => readFileSync(`/proc/${name}/stat`, 'latin1'));
    const parent = /^.*\) \S (\d+) /s.exec(stat)?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  return parents;
}

function wordsOf(pid: number): string[] {
  return ofProcess(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
}

/** The pipes and sockets that its stdout and stderr are. */
function outputsOf(pid: number): string[] {
  return [1, 2]
    .map((fd) => ofProcess(() => readlinkSync(`/proc/${pid}/fd/${fd}`)))
    .filter((link) => /^(?:pipe|socket):/.test(link));
}

/** Empty if the process has ended, or belongs to somebody else. */
function ofProcess(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
