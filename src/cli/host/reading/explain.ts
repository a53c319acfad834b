import { explanationAsJson, explainSession } from '../../../analysis/explain/explain-session.ts';
import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { json as jsonText } from '../../../base/quoted.ts';
import type { EventFilter } from '../../../trace/open.ts';
import type { Session } from '../../../trace/session.ts';
import { explanationText } from '../../report/explain-report.ts';
import { counted } from '../../report/human.ts';
import { LiveText } from '../../report/live-text.ts';
import { Waiting } from '../../report/waiting.ts';
import type { ExplainCommand } from '../options/reading/explain-options.ts';
import { eventFilter } from '../options/reading/selection.ts';
import { openMachines } from './open-session.ts';

/** Width where stdout is not a terminal. */
const usualColumns = 80;

/** Prints the longest waits of guests' tasks, and who caused them. Throws Failure. */
export async function runExplain(command: ExplainCommand): Promise<ExitCode> {
  const { inputs, guest, task, worst, overNs, json, perfetto } = command;
  let events = 0;
  const waiting = new Waiting(new LiveText(process.stderr), () => `reading ${counted(events, 'event')}`);
  try {
    const { session } = await openMachines({ inputs, machines: undefined });
    try {
      const options = {
        worst,
        overNs,
        ...(guest !== undefined && { guest }),
        ...(task !== undefined && { task }),
        ...timesOf(session, command),
        onProgress: (now: number) => {
          events = now;
        },
      };
      // it shows its own progress
      if (perfetto !== undefined) waiting.stop();
      const { explanation, written } =
        perfetto === undefined
          ? { explanation: await explainSession(session, options), written: '' }
          : await (await import('./explain-perfetto.ts')).explainToPerfetto(session, perfetto, options);
      waiting.stop();
      const columns = process.stdout.isTTY ? process.stdout.columns : usualColumns;
      process.stdout.write(
        json
          ? `${jsonText(explanationAsJson(explanation))}\n`
          : explanationText(explanation, columns) + written,
      );
      return exitCode.done;
    } finally {
      await session.close();
    }
  } finally {
    waiting.stop();
  }
}

/** `--from` and `--to`, relative to the first machine's trace. */
function timesOf({ machines }: Session, { from, to }: ExplainCommand): Pick<EventFilter, 'from' | 'to'> {
  if (from === undefined && to === undefined) return {};
  const filter = eventFilter(machines[0]!.trace, { filter: {}, from, to });
  return {
    ...(filter.from !== undefined && { from: filter.from }),
    ...(filter.to !== undefined && { to: filter.to }),
  };
}
