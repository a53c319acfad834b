import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintField } from '../format/print-field.ts';

/**
 * Offset of a dynamic array in the record. As in libtraceevent, 0 if it would be beyond the record.
 * A field that is not dynamic is read as if it were.
 */
export function dynamicOffset(record: RecordData, field: PrintField): number {
  const word = dynamicWord(record, field);
  if (word < 0) return 0;
  const offset = word & 0xffff;
  const bounded = offset > record.dataBytes ? 0 : offset;
  return field.isRelative ? bounded + field.offset + field.size : bounded;
}

/** Length in bytes of a dynamic array; 0 if it would end beyond the record. */
export function dynamicLength(record: RecordData, field: PrintField): number {
  const word = dynamicWord(record, field);
  if (word < 0) return 0;
  const offset = word & 0xffff;
  const length = field.size === 2 ? record.dataBytes - offset : word >>> 16;
  return offset + length > record.dataBytes ? 0 : length;
}

function dynamicWord(record: RecordData, { offset, size }: PrintField): number {
  if (offset + size > record.dataBytes) return -1;
  const at = record.dataOffset + offset;
  if (size === 2) return record.view.getUint16(at, true);
  return size >= 4 ? record.view.getUint32(at, true) : record.page[at]!;
}
