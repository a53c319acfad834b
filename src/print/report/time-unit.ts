import { clockUnit } from '../../trace/metadata/clock-unit.ts';
import type { Trace } from '../../trace/open.ts';
import type { LineOptions } from './options.ts';

/** How times are printed. */
export interface TimeUnits {
  /** Whether times are printed in seconds, rather than in the clock's unit. */
  readonly isNs: boolean;
  /** Whether `--ts-diff` prints nanoseconds even without `-t`. */
  readonly isExact: boolean;
}

export const nanoseconds: TimeUnits = { isNs: true, isExact: false };

/**
 * How `trace-cmd report` prints the times of a trace.
 *
 * Files of old versions do not name the clock; theirs counts nanoseconds. The unit of `uptime` is 1/100 s, but trace-cmd
 * prints it as if it were a nanosecond. It prints exact differences if the user gives the clock's frequency, and for
 * files that do not name the clock in an option: old ones, and those of clocks `boot` and `tai`.
 *
 * @param clockHz the clock's frequency, if the user gave it
 */
export function timeUnits(
  { buffers }: Pick<Trace, 'buffers'>,
  { rawTimes }: Pick<LineOptions, 'rawTimes'>,
  clockHz: number | undefined,
): TimeUnits {
  const clock = buffers.find(({ name }) => name === '')?.clock ?? '';
  const isUsual = clock === '' || clock === 'uptime' || clockUnit(clock) === 'ns';
  return {
    isNs: !rawTimes && (clockHz !== undefined || isUsual),
    isExact: clockHz !== undefined || ['', 'boot', 'tai'].includes(clock),
  };
}
