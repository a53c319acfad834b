import type { EventFilter } from '../trace/open.ts';

export interface ExportProgress {
  readonly events: number;
  /** Bytes read of the trace's pages; `totalBytes` is 0 if unknown. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface ExportOptions {
  /** Which events to export; all by default. */
  readonly filter?: EventFilter;
  /** Stops the export; its reason is thrown and nothing is left behind. */
  readonly signal?: AbortSignal;
  /** Called now and then. */
  readonly onProgress?: (progress: ExportProgress) => void;
}
