import type { CpuNow, TaskShare, WakeupsNow } from '../../../analysis/now/result.ts';
import { printable } from '../../../base/quoted.ts';
import { humanBytes, table } from '../../report/human.ts';
import { duration } from '../../report/summary-report.ts';

/** A frame of `trace-host top --json`; docs/top.md describes the fields. */
export interface TopFrame {
  readonly frame: number;
  readonly at: string;
  readonly spanMs: number;
  readonly machines: readonly TopMachine[];
}

export interface TopCpu extends CpuNow {
  readonly stealShare: number | null;
  readonly ringFill: number | null;
  readonly lostBytes: number;
  readonly overrun: number;
}

export interface TopMachine {
  readonly name: string | null;
  readonly host: boolean;
  readonly state: 'tracing' | 'gone';
  readonly agentVersion: string | null;
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly lostBytes: number;
  readonly overrun: number;
  readonly restarts: number;
  readonly skippedBytes: number;
  readonly cpus: readonly TopCpu[];
  readonly tasks: readonly (TaskShare & { readonly cpus: readonly number[] })[];
  readonly steal: readonly {
    readonly byComm: string;
    readonly byPid: number;
    readonly share: number;
    readonly guestCpu: number;
  }[];
  readonly wakeups: WakeupsNow | null;
  readonly missing: readonly string[];
  readonly why: string | null;
}

const tasksShown = 8;
const barWidth = 10;

/**
 * A frame as lines for a terminal, without control characters, each at most `columns` wide.
 * @param rows height of the terminal; lines beyond it are left out
 */
export function topLines({ machines, at }: TopFrame, columns: number, rows = Infinity): string[] {
  const lines = [
    `trace-host top  ${at.slice(11, 19)} UTC`,
    ...machines.flatMap((each) => ['', ...card(each)]),
  ];
  return lines.slice(0, rows).map((line) => cut(line, columns));
}

/** Cuts between characters; one that may be shown in two columns counts as two. */
function cut(line: string, columns: number): string {
  let width = 0;
  let text = '';
  for (const character of line) {
    width += isNarrow(character) ? 1 : 2;
    if (width > columns) return text;
    text += character;
  }
  return text;
}

function isNarrow(character: string): boolean {
  return (character.codePointAt(0) ?? 0) < 0x1100;
}

function card(machine: TopMachine): string[] {
  const { name, host, state, agentVersion, cpus, tasks, steal } = machine;
  const title = host ? 'this host' : printable(name ?? 'guest');
  const version = agentVersion === null ? '' : `, agent ${printable(agentVersion)}`;
  const head = [
    `${title}: ${state}${version}`,
    `  ${humanBytes(machine.bytesPerSecond)}/s, ${machine.eventsPerSecond} events/s, ` +
      `lost ${humanBytes(machine.lostBytes)}, overrun ${machine.overrun}, restarts ${machine.restarts}`,
  ];
  if (machine.why !== null) head.push(`  ${printable(machine.why)}`);
  if (machine.skippedBytes > 0)
    head.push(`  not counted, because there was too much: ${humanBytes(machine.skippedBytes)}`);
  const taskRows = tasks
    .slice(0, tasksShown)
    .map((task) => [nameOf(task.comm), String(task.pid), percent(task.share), task.cpus.join(',')]);
  const stealRows = steal
    .slice(0, tasksShown)
    .map((each) => [nameOf(each.byComm), String(each.byPid), percent(each.share), String(each.guestCpu)]);
  return [
    ...head,
    ...indented(['CPU', 'busy', '', 'irq', 'steal', 'ring', 'task'], cpus.map(cpuRow)),
    ...(taskRows.length > 0 ? indented(['task', 'PID', 'of a CPU', 'CPUs'], taskRows) : []),
    ...(stealRows.length > 0 ? indented(['steals', 'PID', 'of a CPU', 'from CPU'], stealRows) : []),
    ...wakeupLines(machine),
    ...machine.missing.map((event) => `  - is not known without events of ${event}`),
  ];
}

function cpuRow({ cpu, busyShare, irqShare, stealShare, ringFill, topTask }: TopCpu): string[] {
  return [
    String(cpu),
    percent(busyShare),
    bar(busyShare),
    percent(irqShare),
    percent(stealShare),
    percent(ringFill),
    topTask === null ? '-' : `${nameOf(topTask.comm)} ${percent(topTask.share)}`,
  ];
}

function wakeupLines({ wakeups }: TopMachine): string[] {
  if (wakeups === null) return ['  wakeups: -'];
  const { count, p50Ns, p99Ns, maxNs, histogram } = wakeups;
  const most = Math.max(...histogram.map(([, each]) => each));
  const rows = histogram.map(([upper, each]) => [
    upper === null ? 'more' : `to ${duration(upper)}`,
    String(each),
    '#'.repeat(Math.ceil((each / most) * barWidth)),
  ]);
  return [
    `  wakeups: ${count}, p50 ${duration(p50Ns)}, p99 ${duration(p99Ns)}, max ${duration(maxNs)}`,
    ...(rows.length > 0 ? indented(['latency', 'count', ''], rows) : []),
  ];
}

function indented(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return table(head, rows)
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`);
}

function bar(share: number | null): string {
  const full = Math.round((share ?? 0) * barWidth);
  return `[${'#'.repeat(full)}${' '.repeat(barWidth - full)}]`;
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(share * 100).toFixed(1)} %`;
}

function nameOf(comm: string): string {
  return comm === '' ? '<...>' : printable(comm);
}
