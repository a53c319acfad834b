import { readdirSync, readFileSync } from 'node:fs';

const root = '/sys/kernel/tracing';
/** What all users of this machine's tracefs share. */
const files = [
  'buffer_percent',
  'buffer_size_kb',
  'current_tracer',
  'events/enable',
  'max_graph_depth',
  'saved_cmdlines_size',
  'set_event',
  'set_event_pid',
  'set_ftrace_filter',
  'set_graph_function',
  'trace_clock',
  'trace_options',
  'tracing_cpumask',
  'tracing_on',
];

/** The settings of this machine's top level, and its instances. @param without names that do not count */
export function hostSettings({ without = [] }: { readonly without?: readonly string[] } = {}): object {
  const instances = readdirSync(`${root}/instances`).filter((name) => !without.includes(name));
  return { instances, ...Object.fromEntries(files.map((file) => [file, textOf(file)])) };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(`${root}/${file}`, 'latin1');
  } catch {
    // older kernels do not have all of them
    return undefined;
  }
}
