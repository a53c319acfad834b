import {
  type ExplainOptions,
  explanationAsJson,
  explainSession,
} from '../../../analysis/explain/explain-session.ts';
import type { Explanation } from '../../../analysis/explain/result.ts';
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
 * @param known what is known of the guests' clocks besides what the files say
 */
export async function explainFiles(
  inputs: readonly string[],
  command: Omit<ExplainCommand, 'inputs' | 'recording'>,
  known: Pick<ExplainOptions, 'pieces'> = {},
): Promise<ExitCode> {
  const { guest, task, worst, overNs, json, perfetto } = command;
  const { session } = await openMachines({ inputs, machines: undefined });
  try {
    const options: ExplainOptions = {
      worst,
      overNs,
      ...(guest !== undefined && { guest }),
      ...(task !== undefined && { task }),
      ...timesOf(session, command),
      ...known,
    };
    const { explanation, written } =
      perfetto === undefined
        ? { explanation: await explained(session, options), written: '' }
        : await (await import('./explain-perfetto.ts')).explainToPerfetto(session, perfetto, options);
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
}

function explained(session: Session, options: ExplainOptions): Promise<Explanation> {
  let events = 0;
  return watched(
    () => `reading ${counted(events, 'event')}`,
    ({ signal }) =>
      explainSession(session, {
        ...options,
        signal,
        onProgress: (now) => {
          events = now;
        },
      }),
    () => 'interrupted',
  );
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
