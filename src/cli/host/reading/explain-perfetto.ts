import type { ExplainOptions } from '../../../analysis/explain/explain-session.ts';
import type { Explanation } from '../../../analysis/explain/result.ts';
import { printable } from '../../../base/quoted.ts';
import { exportExplanation } from '../../../export/perfetto/export-explanation.ts';
import type { Session } from '../../../trace/session.ts';
import { counted } from '../../report/human.ts';
import { perfettoReport, textOf } from './export.ts';
import { watched } from './watched.ts';

/**
 * Explains a session and writes it with its traces to a file for the Perfetto UI. Remarks about data that is not in the
 * file go to stderr.
 * @returns the explanation, and what to say of the file. Throws Failure.
 */
export async function explainToPerfetto(
  session: Session,
  out: string,
  explain: ExplainOptions,
): Promise<{ readonly explanation: Explanation; readonly written: string }> {
  const { machines } = session;
  const { from, to } = explain;
  const filter = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
  const { explanation, report, cutWaits } = await watched(`writing ${printable(out)}`, (watching) =>
    exportExplanation(session, out, { ...watching, filter, explain }),
  );
  const written = perfettoReport(machines, report);
  const remarks = [...written.remarks];
  if (cutWaits > 0)
    remarks.push(`not all causes of ${counted(cutWaits, 'wait')} are shown: there are too many`);
  for (const remark of remarks) process.stderr.write(`trace-host: ${printable(out)}: ${remark}\n`);
  return { explanation, written: textOf(out, written) };
}
