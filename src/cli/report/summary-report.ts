import type {
  BufferSummary,
  CpuSummary,
  Durations,
  InterruptSummary,
  TraceSummary,
} from '../../analysis/result.ts';
import type { HistogramBucket } from '../../analysis/samples.ts';
import { printable } from '../../base/quoted.ts';
import { counted, table } from './human.ts';

/** Maximum bar length in a narrow and in a wide terminal. */
const shortestBar = 10;
const longestBar = 60;

/**
 * A summary as text for a terminal.
 * @param top rows of each table
 * @param columns width of the terminal, for the bars of the histogram
 * @param label the beginning of the first line, such as the name of the machine
 */
export function summaryText(
  { path, buffers }: TraceSummary,
  top: number,
  columns: number,
  label = '',
): string {
  return buffers.map((buffer) => bufferText(`${label}${path}`, buffer, top, columns)).join('\n');
}

function bufferText(path: string, buffer: BufferSummary, top: number, columns: number): string {
  const sections = [
    cpuTable(buffer),
    taskTable(buffer, top),
    worstTable(buffer, top),
    histogram(buffer, columns),
    interruptTable('irq', buffer.irqs, buffer, top),
    interruptTable('softirq', buffer.softirqs, buffer, top),
    eventTable(buffer, top),
    remarks(buffer),
  ];
  return [headOf(path, buffer), ...sections.filter((text) => text !== '')].join('\n');
}

function headOf(path: string, { name, clock, events, spanNs, idleShare, ...buffer }: BufferSummary): string {
  const where = name === '' ? printable(path) : `${printable(path)}, instance ${printable(name)}`;
  const span = spanNs === null ? '' : ` over ${duration(spanNs)}`;
  const idle = idleShare === null ? '' : `, CPUs ${percent(idleShare)} idle`;
  const lost = lossOf(buffer);
  return `${where}: ${counted(events, 'event')}${span}${idle}, ${lost} lost, clock ${printable(clock) || 'unknown'}\n`;
}

/** `12`, or `12+` if the kernel did not count some losses. */
function lossOf({ lost, uncountedLosses }: Pick<CpuSummary, 'lost' | 'uncountedLosses'>): string {
  return `${lost}${uncountedLosses > 0 ? '+' : ''}`;
}

function cpuTable({ cpus, busyNs, wakeups, irqs, softirqs }: BufferSummary): string {
  if (cpus.length === 0) return '';
  const hasRuns = busyNs !== null;
  const head = [
    'CPU',
    ...(hasRuns ? ['busy', 'idle'] : []),
    ...(irqs.length > 0 ? ['irq'] : []),
    ...(softirqs.length > 0 ? ['softirq'] : []),
    ...(hasRuns ? ['vol', 'invol'] : []),
    ...(wakeups === null ? [] : latencyHead),
    'events',
    'lost',
  ];
  const rows = cpus.map((cpu) => [
    String(cpu.cpu),
    ...(hasRuns ? [duration(cpu.busyNs), percent(cpu.idleShare)] : []),
    ...(irqs.length > 0 ? [duration(cpu.irqNs)] : []),
    ...(softirqs.length > 0 ? [duration(cpu.softirqNs)] : []),
    ...(hasRuns ? [String(cpu.voluntary), String(cpu.involuntary)] : []),
    ...(wakeups === null ? [] : latencyCells(cpu.wakeups)),
    String(cpu.events),
    lossOf(cpu),
  ]);
  return table(head, rows);
}

const latencyHead = ['wakeups', 'p50', 'p99', 'worst'];

function latencyCells(latency: Durations | null): string[] {
  if (latency === null) return ['-', '-', '-', '-'];
  const { count, p50Ns, p99Ns, worstNs } = latency;
  return [String(count), duration(p50Ns), duration(p99Ns), duration(worstNs)];
}

function taskTable({ tasks, otherTasks, wakeups, busyNs }: BufferSummary, top: number): string {
  if (tasks.length === 0) return '';
  const hasRuns = busyNs !== null;
  const shown = tasks.slice(0, top);
  const rest = tasks.length - shown.length;
  const head = [
    'task',
    'PID',
    ...(hasRuns ? ['run', 'share'] : []),
    'vol',
    'invol',
    ...(wakeups === null ? [] : latencyHead),
  ];
  const rows = [...shown, ...(otherTasks === null ? [] : [otherTasks])].map((task) => [
    nameOf(task.task),
    task.pid === null ? '-' : String(task.pid),
    ...(hasRuns ? [duration(task.runNs), percent(task.share)] : []),
    String(task.voluntary),
    String(task.involuntary),
    ...(wakeups === null ? [] : latencyCells(task.wakeups)),
  ]);
  return `${table(head, rows)}${rest > 0 ? `and ${counted(rest, 'more task')}\n` : ''}`;
}

/** A placeholder for an empty or unknown name, which would make the column invisible. */
function nameOf(task: string): string {
  return task === '' ? '<...>' : printable(task);
}

function worstTable({ tasks }: BufferSummary, top: number): string {
  const worst = tasks
    .flatMap(({ task, pid, worstWakeup }) => (worstWakeup === null ? [] : [{ task, pid, ...worstWakeup }]))
    .sort((a, b) => b.latencyNs - a.latencyNs)
    .slice(0, Math.ceil(top / 2));
  if (worst.length === 0) return '';
  const rows = worst.map(({ task, pid, latencyNs, at, cpu, afterPid, afterTask }) => [
    duration(latencyNs),
    `${nameOf(task)}:${pid}`,
    seconds(at),
    String(cpu),
    afterPid === 0 ? '<idle>' : `${nameOf(afterTask)}:${afterPid}`,
  ]);
  return table(['worst wakeup', 'task', 'ran at', 'CPU', 'after'], rows);
}

function histogram({ wakeups, wakeupHistogram }: BufferSummary, columns: number): string {
  if (wakeups === null || wakeups.count === 0) return '';
  const labels = wakeupHistogram.map(rangeOf);
  const counts = wakeupHistogram.map(({ count }) => String(count));
  const title = 'wakeup latency';
  const labelWidth = Math.max(title.length, ...labels.map(({ length }) => length));
  const countWidth = Math.max('wakeups'.length, ...counts.map(({ length }) => length));
  const room = Math.min(longestBar, columns - labelWidth - countWidth - 4);
  const most = Math.max(...wakeupHistogram.map(({ count }) => count));
  const lines = wakeupHistogram.map(({ count }, index) => {
    const bar = '#'.repeat(Math.ceil((count / most) * Math.max(shortestBar, room)));
    return `${labels[index]?.padStart(labelWidth)}  ${counts[index]?.padStart(countWidth)}  ${bar}`.trimEnd();
  });
  return `${title.padStart(labelWidth)}  ${'wakeups'.padStart(countWidth)}\n${lines.map((line) => `${line}\n`).join('')}`;
}

function rangeOf({ fromNs, toNs }: HistogramBucket): string {
  const [from, to] = [fromNs, toNs].map((ns) => duration(ns).replace(/\.0+ /, ' '));
  if (toNs === null) return `from ${from}`;
  return fromNs === 0 ? `up to ${to}` : `${from} to ${to}`;
}

function interruptTable(
  what: 'irq' | 'softirq',
  interrupts: readonly InterruptSummary[],
  { spanNs }: BufferSummary,
  top: number,
): string {
  if (interrupts.length === 0) return '';
  const rows = interrupts
    .slice(0, top)
    .map(({ number, name, totalNs, own: { count, p50Ns, p99Ns, worstNs } }) => [
      number === null ? '-' : String(number),
      printable(name) || '-',
      String(count),
      duration(totalNs),
      percent(spanNs === null || spanNs === 0 ? null : totalNs / spanNs),
      duration(p50Ns),
      duration(p99Ns),
      duration(worstNs),
    ]);
  const rest = interrupts.length - rows.length;
  const head = [what, 'name', 'count', 'time', 'of a CPU', 'p50', 'p99', 'worst'];
  return `${table(head, rows)}${rest > 0 ? `and ${rest} more\n` : ''}`;
}

function eventTable({ eventTypes }: BufferSummary, top: number): string {
  if (eventTypes.length === 0) return '';
  const rows = eventTypes.slice(0, top).map(({ name, count }) => [String(count), printable(name)]);
  const rest = eventTypes.length - rows.length;
  return `${table(['events', 'name'], rows)}${rest > 0 ? `and ${counted(rest, 'more name')}\n` : ''}`;
}

/** Remarks on missing figures and their reasons. */
function remarks({ timeUnit, missing, notCounted, wakeups, events, ...buffer }: BufferSummary): string {
  if (events === 0) return 'no events\n';
  const lines: string[] = [];
  if (timeUnit === null)
    lines.push('no durations: the clock does not count time or is unknown — record with -C mono');
  for (const { figures, events: names } of missing)
    lines.push(`no ${figures}: record with ${names.map((name) => `-e ${name}`).join(' ')}`);
  const { slicesAcrossLoss, slicesUnmatched, wakeupsAcrossLoss, interruptsUnmatched, malformedEvents } =
    notCounted;
  const left: readonly (readonly [number, string])[] = [
    [slicesAcrossLoss, 'task runs during which events were lost'],
    [slicesUnmatched, 'task runs whose start or end is missing, e.g. because of a filter'],
    [wakeupsAcrossLoss, 'wakeups with lost events between the wakeup and the switch'],
    [interruptsUnmatched, 'interrupts whose entry or exit is missing'],
    [malformedEvents, 'events with a truncated record'],
  ];
  for (const [count, what] of left) if (count > 0) lines.push(`not counted: ${count} ${what}`);
  const durations = [wakeups, ...[...buffer.irqs, ...buffer.softirqs].map(({ own }) => own)];
  if (durations.some((each) => each?.exact === false))
    lines.push('p50 and p99 of more than 256 values have an error below 1 %');
  return lines.map((line) => `${line}\n`).join('');
}

function percent(part: number | null): string {
  return part === null ? '-' : `${(part * 100).toFixed(1)} %`;
}

const units = ['us', 'ms', 's'] as const;

/** Three or four digits: `250 ns`, `1.78 us`, `139.5 ms`, `2.798 s`. */
export function duration(ns: number | null): string {
  if (ns === null) return '-';
  if (ns < 1000) return `${ns} ns`;
  let value = ns / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = value >= 100 ? 1 : value >= 10 ? 2 : 3;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** A time as trace-cmd report prints it, with all digits: seconds with nine decimals. */
function seconds(ns: bigint): string {
  return `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
}
