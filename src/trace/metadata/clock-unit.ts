/**
 * Clocks of kernel/trace/trace.c (`trace_clocks`) that count nanoseconds. `counter` counts events, `uptime` jiffies in
 * 1/100 s, `x86-tsc` cycles; the units of other kernels' clocks are unknown.
 */
const nanosecondClocks: ReadonlySet<string> = new Set([
  'local',
  'global',
  'perf',
  'mono',
  'mono_raw',
  'boot',
  'tai',
]);

/** The unit of a trace clock; null if it does not count time, or is unknown. */
export function clockUnit(clock: string): 'ns' | null {
  return nanosecondClocks.has(clock) ? 'ns' : null;
}
