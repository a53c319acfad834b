import { readFileSync } from 'node:fs';
import { parseCpuList } from '../base/cpu-list.ts';
import { exitCode, Failure } from '../base/failure.ts';
import type { Tracefs } from '../tracefs/tracefs.ts';

const sysfsCpu = '/sys/devices/system/cpu';

/**
 * The CPUs to trace: the requested ones, or all present ones, including offline ones. CPUs that could be added later
 * have rings too, but are traced only when requested by number.
 * @throws Failure for a CPU that is not possible on this machine
 */
export function cpusToTrace(asked: readonly number[] | undefined, tracefs: Tracefs): readonly number[] {
  const possible = tracefs.cpus();
  if (asked === undefined) return cpuFile('present') ?? possible;
  const stranger = asked.find((cpu) => !possible.includes(cpu));
  if (stranger === undefined) return asked;
  const last = possible.at(-1) ?? 0;
  throw new Failure(exitCode.usage, `--cpus: this machine has no CPU ${stranger}`, `the last one is ${last}`);
}

/** The number of online CPUs. */
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
