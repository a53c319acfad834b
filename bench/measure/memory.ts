import type { Machine } from '../machine/machine.ts';

export interface ProcessMemory {
  readonly pid: number;
  /** Private memory plus its share of memory shared with other processes. */
  readonly pssBytes: number;
  readonly privateDirtyBytes: number;
}

const walk =
  'walk() { echo "pid $1"; cat /proc/$1/smaps_rollup; for child in $(cat /proc/$1/task/*/children); do walk $child; done; }; ';

/** Memory of a process, which comes first, and of all its descendants. */
export async function memoryBelow(machine: Machine, pid: number): Promise<ProcessMemory[]> {
  const said = await machine.shell(`${walk}walk ${pid}`);
  return said
    .split(/^pid /m)
    .slice(1)
    .map((text) => ({
      pid: Number.parseInt(text, 10),
      pssBytes: field(text, 'Pss'),
      privateDirtyBytes: field(text, 'Private_Dirty'),
    }));
}

function field(text: string, name: string): number {
  const found = new RegExp(`^${name}: *(\\d+) kB$`, 'm').exec(text);
  if (found === null) throw new Error(`smaps_rollup without ${name}`);
  return Number(found[1]) * 1024;
}
