/**
 * tracefs files of which each instance has its own, in addition to `per_cpu/cpuN/stats`: the agent sends them, and the
 * host uses them instead of the top level's.
 */
export const instanceFileNames = [
  'events/header_event',
  'events/header_page',
  'buffer_percent',
  'buffer_size_kb',
  'buffer_subbuf_size_kb',
  'buffer_total_size_kb',
  'current_tracer',
  'set_event',
  'timestamp_mode',
  'trace_clock',
  'trace_options',
  'tracing_on',
] as const;
