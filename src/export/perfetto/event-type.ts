import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Field } from '../../trace/format/field.ts';
import { type KnownEvent, knownEvents } from './known-events.ts';
import { ProtoWriter, tagBytes } from './proto-writer.ts';

/**
 * How to write an event for which Perfetto has no message: with a descriptor of its fields (version 50 and later), or
 * as GenericFtraceEvent with names in each event (older versions).
 */
export type GenericForm = 'descriptor' | 'named';

/** How to write one field. */
export interface FieldPlan {
  readonly field: Field;
  /** The tag, or all bytes before the value. */
  readonly tag: Uint8Array;
  /** The tag of the value inside a `GenericFtraceEvent.Field` message. Set for integers in the named form only. */
  readonly inner: Uint8Array | undefined;
}

/** How to write the events of one type. */
export interface EventType {
  readonly id: number;
  /** The tag of the event's message. */
  readonly tag: Uint8Array;
  /** The first bytes of each message. */
  readonly head: Uint8Array;
  readonly fields: readonly FieldPlan[];
  /** Fields without a field number in Perfetto. */
  readonly dropped: readonly string[];
  /** The type's `generic_event_descriptors` message; undefined if Perfetto knows the event, or in the named form. */
  readonly descriptor: Uint8Array | undefined;
  /** Whether to write the event's raw bytes, because its type has no format. */
  readonly isRaw: boolean;
}

const genericMessage = 327;
/** Numbers for described events: field numbers of FtraceEvent that Perfetto leaves free. */
export const descriptorNumbers = { first: 65_536, end: 131_072 } as const;
/** The trace processor ignores fields of a described event beyond this number. */
const maxFieldNumber = 31;
const protoTypes = { int64: 3, uint64: 4, string: 9 } as const;
const valueFields = { string: 3, int64: 4, uint64: 5 } as const;
const nothing = new Uint8Array(0);

/**
 * @param format undefined for a type without a format
 * @param firstDescriptor added to the id of a described event to get its number
 */
export function eventTypeOf(
  id: number,
  format: EventFormat | undefined,
  form: GenericForm,
  firstDescriptor: number = descriptorNumbers.first,
): EventType {
  const number = firstDescriptor + id;
  if (format === undefined) return rawType(id, number, form);
  const known = knownEvents.get(format.fullName);
  if (known !== undefined && fits(format, known)) return knownType(id, format, known);
  if (form === 'named' || number >= descriptorNumbers.end) return namedType(id, format);
  const fields = format.fields.slice(0, maxFieldNumber);
  return {
    id,
    tag: tagBytes(number, false),
    head: nothing,
    fields: fields.map((field, index) => ({
      field,
      tag: tagBytes(index + 1, field.content === 'integer'),
      inner: undefined,
    })),
    dropped: format.fields.slice(maxFieldNumber).map(({ name }) => name),
    descriptor: descriptorOf(
      number,
      format.name,
      format.system,
      fields.map((field) => ({ name: field.name, type: typeOf(field) })),
    ),
    isRaw: false,
  };
}

/** Whether the fields have the kinds that Perfetto expects; not guaranteed, as formats come from the guest. */
function fits({ fields }: EventFormat, { fields: numbers, texts }: KnownEvent): boolean {
  return fields
    .filter(({ name }) => Object.hasOwn(numbers, name))
    .every(({ name, content }) => content === (texts.includes(name) ? 'text' : 'integer'));
}

function knownType(id: number, format: EventFormat, { number, fields: numbers }: KnownEvent): EventType {
  const isKnown = ({ name }: Field): boolean => Object.hasOwn(numbers, name);
  return {
    id,
    tag: tagBytes(number, false),
    head: nothing,
    fields: format.fields.filter(isKnown).map((field) => ({
      field,
      tag: tagBytes(numbers[field.name]!, field.content === 'integer'),
      inner: undefined,
    })),
    dropped: format.fields.filter((field) => !isKnown(field)).map(({ name }) => name),
    descriptor: undefined,
    isRaw: false,
  };
}

function namedType(id: number, format: EventFormat): EventType {
  return {
    id,
    tag: tagBytes(genericMessage, false),
    head: textField(1, format.name),
    fields: format.fields.map((field) => ({
      field,
      tag: tagBytes(2, false),
      inner: Uint8Array.of(
        ...textField(1, field.name),
        ...tagBytes(valueFields[typeOf(field)], field.content === 'integer'),
      ),
    })),
    dropped: [],
    descriptor: undefined,
    isRaw: false,
  };
}

/** A type without a format: its only field `data` has the record's bytes in hexadecimal. */
function rawType(id: number, number: number, form: GenericForm): EventType {
  const common = { id, fields: [], dropped: [], isRaw: true };
  if (form === 'named' || number >= descriptorNumbers.end) {
    return {
      ...common,
      tag: tagBytes(genericMessage, false),
      head: textField(1, `#${id}`),
      descriptor: undefined,
    };
  }
  return {
    ...common,
    tag: tagBytes(number, false),
    head: nothing,
    descriptor: descriptorOf(number, `#${id}`, '', [{ name: 'data', type: 'string' }]),
  };
}

function typeOf({ content, signed }: Field): keyof typeof protoTypes {
  if (content !== 'integer') return 'string';
  return signed ? 'int64' : 'uint64';
}

function descriptorOf(
  number: number,
  name: string,
  system: string,
  fields: readonly { readonly name: string; readonly type: keyof typeof protoTypes }[],
): Uint8Array {
  const optional = 1;
  const descriptor = new ProtoWriter();
  descriptor.number(1, number);
  descriptor.message(2, (message) => {
    message.text(1, name);
    for (const [index, field] of fields.entries()) {
      message.message(2, (one) => {
        one.text(1, field.name);
        one.number(3, index + 1);
        one.number(4, optional);
        one.number(5, protoTypes[field.type]);
      });
    }
  });
  descriptor.text(3, system);
  return descriptor.view().slice();
}

function textField(number: number, text: string): Uint8Array {
  const writer = new ProtoWriter();
  writer.text(number, text);
  return writer.view().slice();
}
