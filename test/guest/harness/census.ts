/** The settings that an agent may change and must restore, and other things that a test may leave behind. */
const settings = [
  'buffer_percent',
  'buffer_size_kb',
  'buffer_subbuf_size_kb',
  'current_tracer',
  'saved_cmdlines_size',
  'set_event',
  'set_event_pid',
  'set_ftrace_filter',
  'set_ftrace_notrace',
  'set_ftrace_pid',
  'set_graph_function',
  'trace_clock',
  'trace_options',
  'tracing_cpumask',
  'tracing_on',
];

/** Starts few processes, because each one is slow in an emulated guest. A kernel thread has no command line. */
const take = `cd /sys/kernel/tracing
grep -s '' ${settings.join(' ')}
ls -d instances/* /tmp/* /dev/shm/* /dev/virtio-ports/* /run/* 2>/dev/null
grep -H '' /sys/devices/system/cpu/online
grep -as . /proc/[0-9]*/cmdline || true`;

/** The state of a guest, one line each, sorted: tracefs settings, instances, processes, files. */
export async function census(guest: { check(script: string): Promise<string> }): Promise<string[]> {
  const text = (await guest.check(take)).replaceAll('\0', ' ');
  return text
    .split('\n')
    .map((line) =>
      line.replace(/^\/proc\/\d+\/cmdline:/, 'process: ').replace(fullRing, 'buffer_size_kb:full'),
    )
    .filter((line) => line !== '' && !line.startsWith('process: grep -as '))
    .sort();
}

/** An unused ring only reports its full size; when it is used, the kernel rounds that up to pages. */
const fullRing = /^buffer_size_kb:(?:\d+ \(expanded: 1408\)|14(?:08|10))$/;

/** Lines that are in only one of two censuses, marked as in a diff. */
export function changes(before: readonly string[], after: readonly string[]): string[] {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `-${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+${line}`);
  return [...gone, ...come];
}
