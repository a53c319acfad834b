import { readFileSync } from 'node:fs';
import { parseCpuList } from '../base/cpu-list.ts';
import { exitCode, Failure } from '../base/failure.ts';
import type { Tracefs } from '../tracefs/tracefs.ts';

const sysfsCpu = '/sys/devices/system/cpu';

/**
 * The CPUs to trace: those asked for, or all that the machine has, offline ones too. A machine that could be given
 * more has rings for those as well; they come into play when they are asked for by number.
 * @throws Failure for a CPU that the machine cannot have
 */
export function cpusToTrace(asked: readonly number[] | undefined, tracefs: Tracefs): readonly number[] {
  const possible = tracefs.cpus();
  if (asked === undefined) return cpuFile('present') ?? possible;
  const stranger = asked.find((cpu) => !possible.includes(cpu));
  if (stranger === undefined) return asked;
  const last = possible.at(-1) ?? 0;
  throw new Failure(
    exitCode.usage,
    `--cpus: this machine has no CPU ${stranger}`,
    `its CPUs go up to ${last}`,
  );
}

/** How many CPUs run. */
export function onlineCpus(): number {
  return cpuFile('online')?.length ?? 1;
}

/** A kernel CPU list; undefined where sysfs is not mounted. */
function cpuFile(name: string): readonly number[] | undefined {
  try {
    return parseCpuList(readFileSync(`${sysfsCpu}/${name}`, 'utf8').trim(), name);
  } catch {
    return undefined;
  }
}
