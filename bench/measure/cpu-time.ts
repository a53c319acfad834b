import type { Machine } from '../machine/machine.ts';

/**
 * Script function `walk PID`: for a process and its descendants prints `pid PID` and the schedstat line of each thread,
 * whose first value is its time on a CPU in ns, independent of other load on the machine.
 */
const walk =
  'walk() { echo "pid $1"; cat /proc/$1/task/*/schedstat 2>/dev/null; ' +
  'for child in $(cat /proc/$1/task/*/children 2>/dev/null); do walk $child; done; }; ';

/** CPU time in ns of `pids` and of each of their living descendants. */
export async function cpuTimes(machine: Machine, pids: readonly number[]): Promise<Map<number, number>> {
  const said = await machine.shell(`${walk}${pids.map((pid) => `walk ${pid}`).join('; ')}; true`);
  const times = new Map<number, number>();
  let pid = 0;
  for (const line of said.trim().split('\n')) {
    const words = line.split(' ');
    if (words[0] === 'pid') pid = Number(words[1]);
    else times.set(pid, (times.get(pid) ?? 0) + Number(words[0]));
  }
  return times;
}

export function total(times: ReadonlyMap<number, number>): number {
  let sum = 0;
  for (const ns of times.values()) sum += ns;
  return sum;
}
