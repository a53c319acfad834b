import type { Field } from '../trace/format/field.ts';
import { type RecordData, spanOf, spanUnit } from '../trace/format/record-data.ts';

/** The range of a field's bytes in the record's page. Reused for all fields, so that hot loops do not allocate. */
export class FieldSpan {
  start = 0;
  end = 0;

  /** @returns false if the field lies or points beyond the record */
  find(record: RecordData, field: Field): boolean {
    const span = spanOf(record, field);
    if (span < 0) return false;
    this.start = Math.floor(span / spanUnit);
    this.end = this.start + (span % spanUnit);
    return true;
  }

  /** Truncates a text at its first NUL. @returns whether it is all ASCII */
  endText(page: Uint8Array): boolean {
    let at = this.start;
    let bits = 0;
    for (; at < this.end; at++) {
      const byte = page[at]!;
      if (byte === 0) break;
      bits |= byte;
    }
    this.end = at;
    return bits < 0x80;
  }
}
