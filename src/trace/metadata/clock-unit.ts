/**
 * Clocks of kernel/trace/trace.c (`trace_clocks`) that count nanoseconds. `counter` counts events, `uptime` jiffies in
 * 1/100 s, `x86-tsc` cycles; what another kernel adds is not known.
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

/** The unit of a trace clock's times; null where it is none of time, or not known. */
export function clockUnit(clock: string): 'ns' | null {
  return nanosecondClocks.has(clock) ? 'ns' : null;
}
