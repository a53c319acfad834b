import type { EventFormat } from '../../trace/format/event-format.ts';
import type { RecordData } from '../../trace/format/record-data.ts';
import { PrintFormatError } from '../format/parse-error.ts';
import { parsePrintFormat, type PrintFormat } from '../format/parse-format.ts';
import { argKind, PrintArg } from '../format/print-arg.ts';
import { PrintFields } from '../format/print-field.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { compilePart, printParts } from './compile-parts.ts';
import type { PrintContext } from './context.ts';
import { type FormatPart, formatParts } from './format-parts.ts';
import type { PartPrinter } from './print-pointer.ts';
import { compileRawFields } from './raw-fields.ts';
import { compileTracePrintk } from './trace-printk.ts';

const failedToParse = Buffer.from('[FAILED TO PARSE]');

/** Prints the events of one type, by its print format or as fields. Compiles the format on first use. */
export class EventPrinter {
  readonly format: EventFormat;
  readonly fields: PrintFields;
  readonly #context: PrintContext;
  #failure: string | undefined;
  #parts: readonly FormatPart[] = [];
  #printers: readonly PartPrinter[] = [];
  #tracePrintk: PartPrinter | undefined;
  #rawFields: PartPrinter | undefined;

  constructor(format: EventFormat, context: PrintContext) {
    this.format = format;
    this.fields = new PrintFields(format, context.longBytes);
    this.#context = context;
    const parsed = this.#parse();
    if (parsed === undefined) return;
    const { parts, failed } = formatParts(parsed.text, parsed.args);
    if (failed) this.#failure = 'it has too many conversions, or they do not match its arguments';
    this.#parts = parts;
    this.#printers = parts.map((part) => compilePart(part, context));
    if (format.fullName === 'ftrace:bprint')
      this.#tracePrintk = compileTracePrintk(this.fields, context, () => {
        this.#fail('a record has fewer arguments than its format');
      });
  }

  /** Why the print format cannot be used; undefined if it can. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Prints the event by its print format. */
  print(record: RecordData, out: TextBuffer): void {
    if (this.#failure !== undefined) {
      out.copy(failedToParse);
      this.printRaw(record, out);
    } else if (this.#tracePrintk !== undefined) this.#tracePrintk(record, out);
    else printParts(this.#printers, record, out);
  }

  /** Prints ` name=value` for each field. */
  printRaw(record: RecordData, out: TextBuffer): void {
    const useFormat = this.#failure === undefined && this.#tracePrintk === undefined;
    this.#rawFields ??= compileRawFields(
      this.fields.own,
      useFormat ? this.#parts : [],
      useFormat ? this.#printers : [],
      () => this.#changesLaterEvents(),
    );
    this.#rawFields(record, out);
  }

  #fail(reason: string): void {
    this.#changesLaterEvents();
    this.#failure = reason;
    this.#rawFields = undefined;
  }

  #changesLaterEvents(): void {
    const { notes } = this.#context;
    if (notes !== undefined) notes.notes.isDoubtful = true;
  }

  #parse(): PrintFormat | undefined {
    const { longBytes, functions } = this.#context;
    const { printFormat, system } = this.format;
    const arities = new Map([...functions].map(([name, { arity }]) => [name, arity]));
    try {
      this.#context.budget.left -= printFormat.length;
      if (this.#context.budget.left < 0)
        throw new PrintFormatError('all print formats together are too long');
      const parsed = parsePrintFormat(printFormat, this.fields, arities, longBytes);
      // old kernels omit the arguments in the formats of system ftrace
      if (parsed.args.length > 0 || system !== 'ftrace') return parsed;
      const args = this.fields.own.map((field) =>
        Object.assign(new PrintArg(), { kind: argKind.field, text: field.name, field }),
      );
      return { text: parsed.text, args };
    } catch (error) {
      if (!(error instanceof PrintFormatError)) throw error;
      this.#failure = error.message;
      return undefined;
    }
  }
}
