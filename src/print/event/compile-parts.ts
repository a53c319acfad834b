import type { RecordData } from '../../trace/format/record-data.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import type { PrintContext } from './context.ts';
import type { FormatPart } from './format-parts.ts';
import { compileNumber } from './print-number.ts';
import { compilePointer, type PartPrinter } from './print-pointer.ts';
import { compileText } from './print-text.ts';

/** Compiles one part of a format string. */
export function compilePart(part: FormatPart, context: PrintContext): PartPrinter {
  switch (part.kind) {
    case 'literal': {
      const { bytes } = part;
      return (_, out) => out.copy(bytes);
    }
    case 'number':
      return compileNumber(part, context);
    case 'pointer':
      return compilePointer(part, context);
    case 'text':
      return compileText(part, context);
    default:
      return part satisfies never;
  }
}

/** Prints the parts of an event, up to the limit for its text. */
export function printParts(printers: readonly PartPrinter[], record: RecordData, out: TextBuffer): void {
  const start = out.length;
  for (const print of printers) {
    print(record, out);
    if (out.isTooLong(start)) return;
  }
}
