import type { TraceSummary } from '../../../analysis/result.ts';
import { summarise, summaryAsJson } from '../../../analysis/summary.ts';
import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { json as jsonText, printable } from '../../../base/quoted.ts';
import { counted } from '../../report/human.ts';
import { LiveText } from '../../report/live-text.ts';
import { summaryText } from '../../report/summary-report.ts';
import { Waiting } from '../../report/waiting.ts';
import { eventFilter } from '../options/reading/selection.ts';
import { openMachines } from './open-session.ts';
import type { SummaryCommand } from '../options/reading/summary-options.ts';

/** Width where stdout is not a terminal. */
const usualColumns = 80;

/** Prints a summary of the tasks, CPUs and interrupts of each machine in traces. Throws Failure. */
export async function runSummary({
  session: command,
  selection,
  top,
  json,
}: SummaryCommand): Promise<ExitCode> {
  let reading = '';
  let events = 0;
  const waiting = new Waiting(
    new LiveText(process.stderr),
    () => `reading ${printable(reading)}, ${counted(events, 'event')}`,
  );
  try {
    const { session, machines } = await openMachines(command);
    try {
      const summaries: [machine: string, summary: TraceSummary][] = [];
      for (const { name, trace } of machines) {
        reading = trace.path;
        const summary = await summarise(trace, eventFilter(trace, selection), (now) => {
          events = now;
        });
        summaries.push([name, summary]);
      }
      waiting.stop();
      process.stdout.write(json ? jsonOf(summaries) : textOf(summaries, top));
      return exitCode.done;
    } finally {
      await session.close();
    }
  } finally {
    waiting.stop();
  }
}

type Summaries = readonly (readonly [machine: string, summary: TraceSummary])[];

function textOf(summaries: Summaries, top: number): string {
  const columns = process.stdout.isTTY ? process.stdout.columns : usualColumns;
  const texts = summaries.map(([machine, summary]) =>
    summaryText(summary, top, columns, summaries.length > 1 ? `${machine}: ` : ''),
  );
  return texts.join('\n');
}

function jsonOf(summaries: Summaries): string {
  const values = summaries.map(([, summary]) => summaryAsJson(summary));
  if (values.length === 1) return `${jsonText(values[0])}\n`;
  const machines = values.map((value, index) => ({ machine: summaries[index]![0], ...value }));
  return `${jsonText({ machines })}\n`;
}
