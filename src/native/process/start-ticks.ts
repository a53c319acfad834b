import { readFileSync } from 'node:fs';
import { errorCode } from '../../base/error-code.ts';

/** When a process started, in clock ticks since boot; undefined for one that has ended. */
export function startTicks(pid: number): string | undefined {
  try {
    // the name may contain anything; after it come the fields from the state (the third) to the start time (the 22nd)
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return undefined;
  }
}
