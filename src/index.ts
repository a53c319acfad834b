/** The library: reads traces. See docs/library.md. Anything not exported here may change at any time. */
export { explainSession, type ExplainOptions } from './analysis/explain/explain-session.ts';
export type {
  Cause,
  CauseKind,
  ExplainedClock,
  Explanation,
  GuestPause,
  Stretch,
  Thief,
  VcpuStretch,
  Wait,
  WaitKind,
} from './analysis/explain/result.ts';
export type {
  BufferSummary,
  CpuSummary,
  Durations,
  InterruptSummary,
  MissingFigure,
  NotCounted,
  TaskSummary,
  TraceSummary,
  WorstWakeup,
} from './analysis/result.ts';
export type { HistogramBucket } from './analysis/samples.ts';
export { summarise } from './analysis/summary.ts';
export { exitCode, Failure, type ExitCode } from './base/failure.ts';
export type { ExportOptions, ExportProgress } from './export/export-options.ts';
export {
  exportExplanation,
  type ExplanationExport,
  type ExplanationExportOptions,
} from './export/perfetto/export-explanation.ts';
export {
  exportPerfetto,
  type PerfettoOptions,
  type PerfettoReport,
} from './export/perfetto/export-perfetto.ts';
export type { ClockPiece } from './trace/dat/clock-quality.ts';
export type { EventBatch } from './trace/events/event-batches.ts';
export type { EventObject, TraceEvent } from './trace/events/trace-event.ts';
export type { EventFormat } from './trace/format/event-format.ts';
export type { Field, FieldContent, FieldPlace } from './trace/format/field.ts';
export type { FieldValue } from './trace/format/record-data.ts';
export { readInfo, type BufferInfo, type CpuInfo, type TraceInfo } from './trace/info.ts';
export {
  openTrace,
  type EventFilter,
  type TimeSpan,
  type Trace,
  type TraceBuffer,
  type TraceSettings,
  type Unmatched,
} from './trace/open.ts';
export { openSession, type Machine, type Session } from './trace/session.ts';
