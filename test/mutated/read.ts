import { rmSync } from 'node:fs';
import { Writable } from 'node:stream';
import { explainSession, explanationAsJson } from '../../src/analysis/explain/explain-session.ts';
import { summarise, summaryAsJson } from '../../src/analysis/summary.ts';
import { exitCode, Failure } from '../../src/base/failure.ts';
import { explanationText } from '../../src/cli/report/explain-report.ts';
import { summaryText } from '../../src/cli/report/summary-report.ts';
import { exportParquet } from '../../src/export/parquet/export-parquet.ts';
import { exportPerfetto } from '../../src/export/perfetto/export-perfetto.ts';
import { exportCsvDirectory } from '../../src/export/text/export-csv.ts';
import { exportNdjson } from '../../src/export/text/export-ndjson.ts';
import * as listings from '../../src/print/report/listings.ts';
import {
  defaultHandlerOptions,
  defaultLineOptions,
  type ReportOptions,
} from '../../src/print/report/options.ts';
import { report } from '../../src/print/report/report.ts';
import { openTrace, type Trace } from '../../src/trace/open.ts';
import { Session } from '../../src/trace/session.ts';

class Counting extends Writable {
  bytes = 0;

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.bytes += chunk.length;
    done();
  }
}

const options: ReportOptions = {
  ...defaultLineOptions,
  filterOf: () => ({}),
  withoutFlags: 0,
  wakeups: false,
  alignTimes: false,
};

const allHandlers = { ...defaultHandlerOptions, parent: true, offset: true, tailprint: true, depth: true };

async function reported(trace: Trace, more: Partial<ReportOptions>): Promise<number> {
  let bytes = 0;
  await report(
    [{ trace, label: undefined, timeOffset: trace.source.timeOffset, clockHz: undefined }],
    { ...options, ...more },
    async (text) => {
      bytes += text.length;
    },
    () => {},
  );
  return bytes;
}

const where = { where: ['.*:common_pid > 0 || CPU < 2', '.*:COMM =~ "s"'], exclude: ['.*:COMM == "sh"'] };

type Reading = (trace: Trace, scratch: string) => Promise<number>;

/** Ways to read a trace; each returns the size of its output. */
const readings: readonly Reading[] = [
  (trace) => reported(trace, {}),
  (trace) => reported(trace, { raw: true, timeDifference: true, handlers: allHandlers }),
  (trace) => reported(trace, { noPlugins: true, latency: true, nanoseconds: true, alignTimes: true }),
  (trace) => reported(trace, { wakeups: true, handlers: allHandlers, onStepBack: () => {}, withoutFlags: 8 }),
  (trace) => reported(trace, { filterOf: () => where }),
  async (trace) => {
    const span = trace.span();
    const filter = span && { from: span.first + 10n, to: span.last - 10n };
    const summary = await summarise(trace, filter);
    return JSON.stringify(summaryAsJson(summary)).length + summaryText(summary, 20, 80).length;
  },
  async (trace) => {
    const machines = ['web', 'db'].map((name, index) => {
      const vcpuTids = new Map([[0, 100 + index]]);
      return { name, trace, vcpuTids, hasHostTimes: true };
    });
    const explanation = await explainSession(new Session(machines, []), { worst: 50 });
    return JSON.stringify(explanationAsJson(explanation)).length + explanationText(explanation, 80).length;
  },
  (trace) => exported((to) => exportPerfetto(trace, to)),
  (trace) => exported((to) => exportPerfetto(trace, to, { genericEvents: 'named' })),
  (trace) => exported((to) => exportNdjson(trace, to)),
  async (trace) => {
    let text = '';
    text += listings.functionList(trace) + listings.printkList(trace) + listings.eventList(trace);
    text += listings.formatList(trace) + listings.statistics(trace);
    text += listings.cpuList(trace, true, true, defaultLineOptions);
    return text.length + listings.unusableFormats(trace, defaultLineOptions).length;
  },
  async (trace) => {
    let count = 0;
    for await (const batch of trace.events())
      for (const event of batch) count += Object.keys(event.toObject().fields).length;
    return count;
  },
];

/** Rarer, because they write many files. */
const directories: readonly Reading[] = [
  async (trace, dir) => (await exportCsvDirectory(trace, dir)).bytes,
  async (trace, dir) => (await exportParquet(trace, dir)).bytes,
];

async function exported(write: (to: Writable) => Promise<unknown>): Promise<number> {
  const sink = new Counting();
  await write(sink);
  return sink.bytes;
}

/**
 * Reads a trace in the way that `turn` selects.
 * @returns the size of the output, or undefined if the trace is refused with a Failure, as it should be
 */
export async function readInTurn(path: string, turn: number, scratch: string): Promise<number | undefined> {
  try {
    const trace = await openTrace(path);
    try {
      const isRare = turn % 50 === 0;
      const reading = isRare
        ? directories[(turn / 50) % directories.length]!
        : readings[turn % readings.length]!;
      return await reading(trace, scratch);
    } finally {
      await trace.close();
      rmSync(scratch, { recursive: true, force: true });
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.exitCode !== exitCode.usage && !error.message.includes(path))
      throw new Error(`the failure does not name the file: ${error.message}`, { cause: error });
    return undefined;
  }
}
