import type { Cause, ExplainedClock, Explanation, Thief, Wait } from '../../analysis/explain/result.ts';
import { printable } from '../../base/quoted.ts';
import { causeText, taskText, verdict } from './cause-text.ts';
import { counted, table } from './human.ts';
import { duration } from './summary-report.ts';

/** Causes of a wait, and thieves of a guest, that are shown. */
const causesMost = 6;
const thievesMost = 10;
/** Length of the bars in a narrow and in a wide terminal. */
const shortestBar = 10;
const longestBar = 40;

/**
 * An explanation as text for a terminal.
 * @param columns width of the terminal, for the bars
 */
export function explanationText(explanation: Explanation, columns: number): string {
  const { clocks, waits, thieves, waitCount } = explanation;
  const guests = [...new Set(thieves.map(({ guest }) => guest))];
  const barMost = Math.max(shortestBar, Math.min(longestBar, columns - 60));
  const sections = [
    headOf(waits, waitCount),
    ...waits.map((wait, index) => waitText(wait, index + 1, barMost)),
    ...guests.map((guest) =>
      thievesText(
        guest,
        thieves.filter((each) => each.guest === guest),
      ),
    ),
    remarks(explanation),
    ...Object.entries(clocks).map(([guest, clock]) => clockText(guest, clock)),
    verdict(explanation),
  ];
  return sections.filter((text) => text !== '').join('\n');
}

function headOf(waits: readonly Wait[], count: number): string {
  if (waits.length === 0) return 'no waits\n';
  return `${counted(count, 'wait')}${count > waits.length ? `, the longest ${waits.length}` : ''}\n`;
}

const kindWords = {
  wakeup: 'waited',
  preempted: 'was preempted for',
  stolen: 'lost, while it was running,',
  interrupted: 'was interrupted for',
} as const;

function waitText({ causes, lengthNs, ...wait }: Wait, index: number, barMost: number): string {
  const { machine, task, tid, prio, cpu, dueNs, kind, isDue, isOver } = wait;
  const since = isDue ? 'due at' : kind === 'wakeup' ? 'woken at' : 'since';
  const head =
    `${index}. ${printable(machine)}: ${taskText({ task, tid, prio })} ${kindWords[kind]} ${duration(lengthNs)}` +
    `${isOver ? '' : ' and more'} on CPU ${cpu}, ${since} ${seconds(dueNs)}`;
  const shown = causes.slice(0, causes.length > causesMost ? causesMost - 1 : causesMost);
  const rest = causes.slice(shown.length);
  const rows = shown.map((cause) => row(cause.ns, causeText(cause, machine)));
  if (rest.length > 0) rows.push(row(sumOf(rest), `${counted(rest.length, 'more cause')}, together`));
  return `${head}\n${rows.join('')}`;

  function row(ns: number, text: string): string {
    const part = lengthNs > 0 ? ns / lengthNs : 0;
    const bar = '#'.repeat(Math.max(1, Math.round(part * barMost))).padEnd(barMost);
    return `   ${bar} ${percent(part).padStart(7)}  ${duration(ns).padStart(8)}  ${text}\n`;
  }
}

function thievesText(guest: string, thieves: readonly Thief[]): string {
  const all = sumOf(thieves);
  const rows = thieves
    .slice(0, thievesMost)
    .map((thief) => [
      duration(thief.ns),
      percent(thief.ns / all),
      String(thief.count),
      duration(thief.worstNs),
      causeText({ ...thief, cpu: null, inferred: false }, guest),
    ]);
  const rest = thieves.length - rows.length;
  const head = ['time', 'share', 'count', 'worst', `who took the CPUs of ${printable(guest)}`];
  return `${table(head, rows)}${rest > 0 ? `and ${rest} more\n` : ''}`;
}

function remarks({ waits, unknownNs, missing }: Explanation): string {
  const lines: string[] = [];
  const all = waits.reduce((sum, { lengthNs }) => sum + lengthNs, 0);
  if (unknownNs > 0) {
    const why = new Map<string, number>();
    for (const { kind, name, ns } of waits.flatMap(({ causes }) => causes))
      if (kind === 'unknown') why.set(name ?? '', (why.get(name ?? '') ?? 0) + ns);
    const reasons = [...why].sort(([, a], [, b]) => b - a).map(([name, ns]) => `${duration(ns)}: ${name}`);
    lines.push(
      `unknown: ${percent(unknownNs / all)} of the time of these waits (${printable(reasons.join('; '))})`,
    );
  }
  for (const text of missing) lines.push(`missing: ${printable(text)}`);
  return lines.map((line) => `${line}\n`).join('');
}

function clockText(guest: string, { method, boundNs, samples, violations }: ExplainedClock): string {
  if (method === 'none') return '';
  const bound =
    boundNs === null ? 'how exactly is not in the file' : `right to within ${duration(Math.round(boundNs))}`;
  const part = samples > 0 ? `; ${percent(violations / samples)} of its events while its vCPU was off` : '';
  return `clock of ${printable(guest)}: converted to the host's, ${bound} (${printable(method)}${part})\n`;
}

function sumOf(causes: readonly Pick<Cause, 'ns'>[]): number {
  return causes.reduce((sum, { ns }) => sum + ns, 0);
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

/** A time with all digits, as in a report: seconds with nine decimals. */
function seconds(ns: bigint): string {
  return `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
}
