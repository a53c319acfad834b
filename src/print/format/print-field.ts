import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Field } from '../../trace/format/field.ts';

/** A field, with the properties that determine how libtraceevent prints it. */
export interface PrintField {
  readonly name: string;
  readonly offset: number;
  /** Size in the record; 4 for a dynamic array. */
  readonly size: number;
  readonly isArray: boolean;
  readonly isDynamic: boolean;
  /** `__rel_loc`: the offset is relative to the end of the field. */
  readonly isRelative: boolean;
  readonly isLong: boolean;
  readonly isPointer: boolean;
  readonly isSigned: boolean;
  /** An array whose type contains `char`, `u8` or `s8`. */
  readonly isString: boolean;
  /** Size of one element; 0 if unknown. */
  readonly elementSize: number;
  /** Whether the field has ever contained bytes that are not text; from then on, it is printed as an array. */
  wasBinary: boolean;
}

/** Element types of dynamic arrays that libtraceevent knows, with their sizes; others have an unknown size. */
const dynamicElementSizes: ReadonlyMap<string, number> = new Map([
  ['u8', 1],
  ['u16', 2],
  ['u32', 4],
  ['u64', 8],
  ['s8', 1],
  ['s16', 2],
  ['s32', 4],
  ['s64', 8],
  ['char', 1],
]);

function printField(field: Field, longBytes: number): PrintField {
  const { name, type, offset, bytes, signed, place, isArray } = field;
  const isDynamic = place === 'data-loc' || place === 'rel-loc';
  const isLong = type.includes('long');
  const isString = isArray && /char|u8|s8/.test(type);
  let elementSize = bytes;
  if (isDynamic) elementSize = dynamicElementSizes.get(/\w+$/.exec(type)?.[0] ?? '') ?? 0;
  else if (isArray && field.arrayLength > 0) elementSize = Math.floor(bytes / field.arrayLength);
  else if (isArray) elementSize = isString ? 1 : isLong ? longBytes : 0;
  return {
    name,
    offset,
    size: bytes,
    isArray,
    isDynamic,
    isRelative: place === 'rel-loc',
    isLong,
    isPointer: type.includes('*'),
    isSigned: signed,
    isString,
    elementSize,
    wasBinary: false,
  };
}

/** The fields of an event for printing. */
export class PrintFields {
  readonly own: readonly PrintField[];
  readonly #common: ReadonlyMap<string, PrintField>;
  readonly #own: ReadonlyMap<string, PrintField>;

  constructor({ commonFields, fields }: EventFormat, longBytes: number) {
    this.own = fields.map((field) => printField(field, longBytes));
    this.#own = firstByName(this.own);
    this.#common = firstByName(commonFields.map((field) => printField(field, longBytes)));
  }

  find(name: string): PrintField | undefined {
    return this.#own.get(name);
  }

  findCommon(name: string): PrintField | undefined {
    return this.#common.get(name);
  }

  /** Finds a field by name, common fields first. */
  findAny(name: string): PrintField | undefined {
    return this.findCommon(name) ?? this.find(name);
  }
}

/** Fields by name; the first one if several have the same name. */
function firstByName(fields: readonly PrintField[]): Map<string, PrintField> {
  return new Map(fields.toReversed().map((field) => [field.name, field]));
}
