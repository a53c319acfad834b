import {
  type ExplainOptions,
  explanationAsJson,
  explainSession,
} from '../../../analysis/explain/explain-session.ts';
import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { json as jsonText } from '../../../base/quoted.ts';
import type { EventFilter } from '../../../trace/open.ts';
import type { Session } from '../../../trace/session.ts';
import { explanationText } from '../../report/explain-report.ts';
import { counted } from '../../report/human.ts';
import type { ExplainCommand } from '../options/reading/explain-options.ts';
import { eventFilter } from '../options/reading/selection.ts';
import { openMachines } from './open-session.ts';
import { watched } from './watched.ts';

/** Width where stdout is not a terminal. */
const usualColumns = 80;

/** Explains the files of a command line. Throws Failure. */
export function runExplain(command: ExplainCommand): Promise<ExitCode> {
  return explainFiles(command.inputs, command);
}

/**
 * Prints the longest waits of guests' tasks, and who caused them. Throws Failure.
 * @param known what is known of the guests' clocks and pauses besides what the files say
 */
export async function explainFiles(
  inputs: readonly string[],
  command: Omit<ExplainCommand, 'inputs' | 'recording'>,
  known: Pick<ExplainOptions, 'pauses' | 'pieces'> = {},
): Promise<ExitCode> {
  const { guest, task, worst, overNs, json } = command;
  let events = 0;
  const reading = (): string => `reading ${counted(events, 'event')}`;
  const explanation = await watched(
    reading,
    async ({ signal }) => {
      const { session } = await openMachines({ inputs, machines: undefined });
      try {
        return await explainSession(session, {
          worst,
          overNs,
          ...(guest !== undefined && { guest }),
          ...(task !== undefined && { task }),
          ...timesOf(session, command),
          ...known,
          signal,
          onProgress: (now) => {
            events = now;
          },
        });
      } finally {
        await session.close();
      }
    },
    () => 'interrupted',
  );
  const columns = process.stdout.isTTY ? process.stdout.columns : usualColumns;
  process.stdout.write(
    json ? `${jsonText(explanationAsJson(explanation))}\n` : explanationText(explanation, columns),
  );
  return exitCode.done;
}

/** `--from` and `--to`, relative to the first machine's trace. */
function timesOf(
  { machines }: Session,
  { from, to }: Pick<ExplainCommand, 'from' | 'to'>,
): Pick<EventFilter, 'from' | 'to'> {
  if (from === undefined && to === undefined) return {};
  const filter = eventFilter(machines[0]!.trace, { filter: {}, from, to });
  return {
    ...(filter.from !== undefined && { from: filter.from }),
    ...(filter.to !== undefined && { to: filter.to }),
  };
}
