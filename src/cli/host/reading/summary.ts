import { summarise, summaryAsJson } from '../../../analysis/summary.ts';
import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { json as jsonText, printable } from '../../../base/quoted.ts';
import { openTrace } from '../../../trace/open.ts';
import { counted } from '../../report/human.ts';
import { LiveText } from '../../report/live-text.ts';
import { summaryText } from '../../report/summary-report.ts';
import { Waiting } from '../../report/waiting.ts';
import { eventFilter } from '../options/reading/selection.ts';
import type { SummaryCommand } from '../options/reading/summary-options.ts';

/** Width where stdout is not a terminal. */
const usualColumns = 80;

/** Prints a summary of the tasks, CPUs and interrupts in a trace.dat or a recording. Throws Failure. */
export async function runSummary({ path, selection, top, json }: SummaryCommand): Promise<ExitCode> {
  let events = 0;
  const waiting = new Waiting(
    new LiveText(process.stderr),
    () => `reading ${printable(path)}, ${counted(events, 'event')}`,
  );
  try {
    const trace = await openTrace(path);
    try {
      const summary = await summarise(trace, eventFilter(trace, selection), (now) => {
        events = now;
      });
      waiting.stop();
      const columns = process.stdout.isTTY ? process.stdout.columns : usualColumns;
      process.stdout.write(
        json ? `${jsonText(summaryAsJson(summary))}\n` : summaryText(summary, top, columns),
      );
      return exitCode.done;
    } finally {
      await trace.close();
    }
  } finally {
    waiting.stop();
  }
}
