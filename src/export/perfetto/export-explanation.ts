import type { Writable } from 'node:stream';
import { type ExplainOptions, explainSession } from '../../analysis/explain/explain-session.ts';
import type { Explanation } from '../../analysis/explain/result.ts';
import type { Session } from '../../trace/session.ts';
import { DoubleBuffer } from '../output/double-buffer.ts';
import { writeOutput } from '../output/write-output.ts';
import { ExplanationTracks } from './explanation-tracks.ts';
import { type PerfettoOptions, type PerfettoReport, writeMachines } from './export-perfetto.ts';
import { firstSequenceId } from './packets.ts';

export interface ExplanationExportOptions extends PerfettoOptions {
  /** Which waits to explain. */
  readonly explain?: Omit<ExplainOptions, 'stretches' | 'onVcpuStretch' | 'onProgress'>;
}

export interface ExplanationExport {
  /** With the `stretches` of waits. */
  readonly explanation: Explanation;
  readonly report: PerfettoReport;
  /** Waits whose causes are not all in the file, because a limit was reached. */
  readonly cutWaits: number;
}

/**
 * Explains the waits of a session as `explainSession` does, and writes its traces as `exportPerfetto` does, together with
 * the explanation: why each vCPU did not run, the waits with their causes, and flows to them from who caused them. Reads
 * all events twice, in bounded memory. Throws Failure as both of them do.
 */
export async function exportExplanation(
  session: Session,
  to: string | Writable,
  options: ExplanationExportOptions = {},
): Promise<ExplanationExport> {
  const { machines } = session;
  const { signal, onProgress } = options;
  const bytesOf = (which: 'doneBytes' | 'totalBytes'): number =>
    machines.reduce((sum, { trace }) => sum + trace.read[which], 0);
  const before = bytesOf('doneBytes');
  const totals = machines.map(({ trace }) => trace.read.totalBytes);
  const totalBytes = totals.includes(0) ? 0 : 2 * bytesOf('totalBytes');
  const progress = (events: number): void => {
    signal?.throwIfAborted();
    onProgress?.({ events, doneBytes: bytesOf('doneBytes') - before, totalBytes });
  };
  const { result, bytes } = await writeOutput(
    machines.map(({ trace }) => trace.path),
    to,
    options.gzip,
    async (sink) => {
      const out = new DoubleBuffer(sink);
      const report = await writeMachines(
        machines,
        { ...options, onProgress: ({ events }) => progress(events) },
        out,
      );
      const tracks = new ExplanationTracks(out, firstSequenceId + machines.length);
      const explanation = await explainSession(session, {
        ...options.explain,
        stretches: true,
        onVcpuStretch: (stretch) => tracks.vcpuStretch(stretch),
        onProgress: (events) => progress(report.events + events),
      });
      await tracks.waits(explanation.waits);
      signal?.throwIfAborted();
      await out.end();
      return { report, explanation, cutWaits: tracks.cutWaits };
    },
    '--perfetto',
  );
  return { ...result, report: { ...result.report, bytes } };
}
