import type { PrintFunction } from '../value/compile-value.ts';
import type { FunctionMap } from '../symbols/function-map.ts';
import type { PrintkFormats } from '../symbols/printk-formats.ts';
import type { InputNotes } from '../text/part-notes.ts';
import type { PrintTaskNames } from '../symbols/task-names.ts';

/** Data besides the formats that is needed to print the events of one trace. */
export interface PrintContext {
  /** Size of the guest's `long`. */
  readonly longBytes: 4 | 8;
  /** Number of characters of print formats that may still be compiled; events beyond it are printed as fields. */
  readonly budget: { left: number };
  /** Parsed at the first call. */
  readonly functionMap: () => FunctionMap;
  readonly printkFormats: () => PrintkFormats;
  readonly taskNames: PrintTaskNames;
  /** Functions that formats may call. */
  readonly functions: ReadonlyMap<string, PrintFunction>;
  /** Given if only a part of the events is printed. */
  readonly notes: InputNotes | undefined;
}
