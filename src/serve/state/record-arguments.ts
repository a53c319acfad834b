import type { RecordRequest } from './views.ts';

/** The events that `trace-host explain` needs, of which a kernel may lack some. */
const hostEvents = ['sched', 'irq', 'kvm'];
const guestEvents = ['sched', 'irq', 'irq_vectors', 'timer'];

/**
 * The command line of `trace-host record` for a request. Each text of the request is the value of an option, never an
 * option: `--event=…`.
 */
export function recordArguments(
  { guests, host, durationMs, events }: RecordRequest,
  { out, dir, maxBytes }: { readonly out: string; readonly dir: string; readonly maxBytes: number },
): string[] {
  return [
    'record',
    '--json',
    '--ignore-unknown',
    `--output=${out}`,
    `--dir=${dir}`,
    '--timeout=10s',
    `--max-size=${Math.max(1, Math.floor(maxBytes / 1024))}K`,
    ...(durationMs === undefined ? [] : [`--duration=${durationMs}ms`]),
    ...sections({ guests, host, ...(events !== undefined && { events }) }),
  ];
}

/** The part that says which machines are traced, and what of them. */
export function sections({
  guests,
  host,
  events,
}: Pick<RecordRequest, 'guests' | 'host' | 'events'>): string[] {
  const event = (name: string): string => `--event=${name}`;
  return [
    ...(host ? ['--host', ...(events ?? hostEvents).map(event)] : []),
    ...guests.flatMap((name) => [`--agent=${name}`, ...(events ?? guestEvents).map(event)]),
  ];
}
