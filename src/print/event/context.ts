import type { PrintFunction } from '../value/compile-value.ts';
import type { FunctionMap } from '../symbols/function-map.ts';
import type { PrintkFormats } from '../symbols/printk-formats.ts';
import type { InputNotes } from '../text/part-notes.ts';
import type { PrintTaskNames } from '../symbols/task-names.ts';

/** What is needed, besides the formats, to print the events of one trace. */
export interface PrintContext {
  /** Size of the guest's `long`. */
  readonly longBytes: 4 | 8;
  /**
   * Number of characters of print formats that may still be compiled. Once it is used up, events are printed as fields.
   */
  readonly budget: { left: number };
  /** The guest's functions, parsed at the first call. */
  readonly functionMap: () => FunctionMap;
  readonly printkFormats: () => PrintkFormats;
  readonly taskNames: PrintTaskNames;
  /** Functions that formats may call. */
  readonly functions: ReadonlyMap<string, PrintFunction>;
  /** Where to note what depends on other parts; undefined if all events are printed, not only a part. */
  readonly notes: InputNotes | undefined;
}
