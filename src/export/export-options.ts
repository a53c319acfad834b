import type { EventFilter } from '../trace/open.ts';

export interface ExportProgress {
  readonly events: number;
  /** Bytes of pages that have been read; `totalBytes` is 0 if unknown. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface ExportOptions {
  /** Which events to export; all by default. */
  readonly filter?: EventFilter;
  /** Aborts the export, which then throws the signal's reason and leaves no output behind. */
  readonly signal?: AbortSignal;
  /** Called from time to time. */
  readonly onProgress?: (progress: ExportProgress) => void;
}
