import type { Field } from '../../trace/format/field.ts';
import { readValue, type RecordData } from '../../trace/format/record-data.ts';
import { FieldSpan } from '../field-span.ts';
import { compoundText, hexText } from '../value-text.ts';
import type { EventType, FieldPlan } from './event-type.ts';
import { type ProtoWriter, tagBytes, varintBytes } from './proto-writer.ts';

/** Bytes of an event besides its fields: tags, lengths, time and thread. */
const eventBytes = 64;
/** Bytes of a field besides its text: a tag and a varint, or the lengths around the text. */
const fieldBytes = 2 * varintBytes;
/** Invalid bytes become U+FFFD, three bytes in UTF-8. */
const textGrowth = 3;

const eventTag = 0x12;
const timestampTag = 0x08;
const pidTag = 0x10;
const nameTag = tagBytes(1, false);
const fieldTag = tagBytes(2, false);
const stringTag = tagBytes(3, false);

/** Serves to split a 64-bit time into two numbers without allocating. */
const time = new BigUint64Array(1);
const timeHalves = new Uint32Array(time.buffer);

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const span = new FieldSpan();

/** Appends one event to the bundle that is being written to `out`. */
export function writeEvent(
  out: ProtoWriter,
  type: EventType,
  timestamp: bigint,
  pid: number,
  record: RecordData,
): void {
  out.reserve(eventBytes + type.head.length);
  out.bytes[out.length++] = eventTag;
  const event = out.open();
  time[0] = timestamp;
  out.bytes[out.length++] = timestampTag;
  out.varint64(timeHalves[0]!, timeHalves[1]!);
  out.bytes[out.length++] = pidTag;
  out.varint(pid >>> 0);
  copy(out, type.tag);
  const message = out.open();
  copy(out, type.head);
  const { fields } = type;
  for (let index = 0; index < fields.length; index++) writeField(out, fields[index]!, record);
  if (type.isRaw) writeRaw(out, type, record);
  out.reserve(eventBytes);
  out.close(message);
  out.close(event);
}

function writeField(out: ProtoWriter, plan: FieldPlan, record: RecordData): void {
  const { field, tag, inner } = plan;
  const isInteger = field.content === 'integer';
  if (isInteger ? field.offset + field.bytes > record.dataBytes : !span.find(record, field)) return;
  out.reserve(fieldBytes + tag.length + (inner?.length ?? 0));
  copy(out, tag);
  if (inner === undefined) {
    if (isInteger) writeInteger(out, field, record);
    else writeText(out, field, record);
    return;
  }
  const start = out.open();
  copy(out, inner);
  if (isInteger) writeInteger(out, field, record);
  else writeText(out, field, record);
  out.reserve(varintBytes);
  out.close(start);
}

/** A varint of the 64-bit two's complement, as protobuf encodes int32 and int64. */
function writeInteger(out: ProtoWriter, { offset, elementBytes, signed }: Field, record: RecordData): void {
  const { view } = record;
  const at = record.dataOffset + offset;
  let low: number;
  switch (elementBytes) {
    case 4:
      low = signed ? view.getInt32(at, true) : view.getUint32(at, true);
      break;
    case 2:
      low = signed ? view.getInt16(at, true) : view.getUint16(at, true);
      break;
    case 1:
      low = signed ? view.getInt8(at) : view.getUint8(at);
      break;
    default:
      out.varint64(view.getUint32(at, true), view.getUint32(at + 4, true));
      return;
  }
  if (low < 0) out.varint64(low >>> 0, 0xffff_ffff);
  else out.varint(low);
}

/** Writes the length and text at `span`, or the text form of an array or bytes. */
function writeText(out: ProtoWriter, field: Field, record: RecordData): void {
  if (field.content !== 'text') {
    writeString(out, compoundText(readValue(record, field) ?? ''));
    return;
  }
  const { page } = record;
  if (!span.endText(page)) {
    writeString(out, utf8.decode(page.subarray(span.start, span.end)));
    return;
  }
  const length = span.end - span.start;
  out.reserve(fieldBytes + length);
  out.varint(length);
  const { bytes } = out;
  let to = out.length;
  // faster than calling `set` for a short text such as a comm
  for (let at = span.start; at < span.end; at++) bytes[to++] = page[at]!;
  out.length = to;
}

function writeString(out: ProtoWriter, text: string): void {
  out.reserve(fieldBytes + text.length * textGrowth);
  const content = encoder.encode(text);
  out.varint(content.length);
  out.copy(content);
}

/** All bytes of an event without a format. */
function writeRaw(out: ProtoWriter, type: EventType, record: RecordData): void {
  const { page, dataOffset, dataBytes } = record;
  const text = hexText(page.subarray(dataOffset, dataOffset + dataBytes));
  out.reserve(2 * fieldBytes);
  if (type.descriptor !== undefined) {
    copy(out, nameTag);
    writeString(out, text);
    return;
  }
  copy(out, fieldTag);
  const start = out.open();
  copy(out, nameTag);
  writeString(out, 'data');
  copy(out, stringTag);
  writeString(out, text);
  out.reserve(varintBytes);
  out.close(start);
}

/** Copies a few bytes; the caller has reserved room. */
function copy(out: ProtoWriter, from: Uint8Array): void {
  const { bytes } = out;
  let at = out.length;
  for (let index = 0; index < from.length; index++) bytes[at++] = from[index]!;
  out.length = at;
}
