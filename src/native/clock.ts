import { checked, declare } from './libc.ts';

const libcClockGettime = declare('int clock_gettime(int clock, void *time)');

const ids = { realtime: 0, monotonic: 1, monotonicRaw: 4, boottime: 7 } as const;
export type ClockName = keyof typeof ids;

const time = new BigInt64Array(2); // struct timespec: seconds, nanoseconds

/** The current time of a kernel clock, in nanoseconds. */
export function clockNs(name: ClockName): bigint {
  checked('clock_gettime', libcClockGettime(ids[name], time));
  return (time[0] ?? 0n) * 1_000_000_000n + (time[1] ?? 0n);
}
