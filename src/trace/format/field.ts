/**
 * The place of a field's bytes: in the record at the field's offset; at the target of a `__data_loc` (offset from
 * the record's start) or a `__rel_loc` (offset from the field's end); or from the offset to the end of the record
 * (`char buf[]` of size 0).
 */
export type FieldPlace = 'inline' | 'data-loc' | 'rel-loc' | 'tail';

/** The type of a field's bytes: one integer, text up to the first NUL, an array of integers, or opaque bytes. */
export type FieldContent = 'integer' | 'text' | 'integers' | 'bytes';

/** One field of an event's record, as its format file declares it. */
export interface Field {
  readonly name: string;
  /** C type without the name and the brackets, e.g. `unsigned long`, `char`. */
  readonly type: string;
  /** Offset of the field in the record. */
  readonly offset: number;
  /** Size of the field in the record; 4 for `__data_loc` and `__rel_loc`, 0 for a tail. */
  readonly bytes: number;
  readonly signed: boolean;
  /** Whether it is declared with brackets. */
  readonly isArray: boolean;
  /** Number of elements given between the brackets; 0 if none is given. */
  readonly arrayLength: number;
  readonly place: FieldPlace;
  readonly content: FieldContent;
  /** Size of one integer; 1 for text and opaque bytes. */
  readonly elementBytes: number;
}

const fieldLine = /^\s*field:([^;]+);\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:([01]);)?\s*$/;
/** Limit for a line: the kernel's lines have at most 83 characters, a hostile guest's may be longer. */
const maxLineLength = 1000;
const location = /^(__data_loc|__rel_loc)\s+/;

/**
 * Largest end of a field: a record fits in a sub-buffer, and the ring's write counter limits sub-buffers to 1 MiB
 * (RB_WRITE_MASK).
 */
const maxFieldEnd = 1 << 20;

/**
 * Parses one `field:` line, as in `events/header_page` and in the format files.
 * `longBytes` is the size of the guest's `long`. Returns undefined if the line is malformed or the field does not fit
 * in a record.
 */
export function parseFieldLine(line: string, longBytes: 4 | 8 = 8): Field | undefined {
  if (line.length > maxLineLength) return undefined;
  const match = fieldLine.exec(line);
  const declared = match && declarationIn(match[1]!.trim());
  if (!match || !declared) return undefined;
  const offset = Number(match[2]);
  const bytes = Number(match[3]);
  if (offset + bytes > maxFieldEnd) return undefined;

  const { loc, type: rawType, name, brackets } = declared;
  const place = placeOf(loc, brackets, bytes);
  // synthetic events keep offset and length in the low half of 8 bytes
  if (place !== 'inline' && place !== 'tail' && bytes !== 4 && bytes !== 8) return undefined;
  // in `__data_loc char[] name` the brackets are part of the type
  const [typeBracket = -1] = lastBrackets(rawType);
  const type = typeBracket < 0 ? rawType : rawType.slice(0, typeBracket).trimEnd();
  const isArray = brackets !== undefined || typeBracket >= 0;
  const holdsSeveral = place !== 'inline' || isArray;
  return {
    name,
    type,
    offset,
    bytes,
    signed: match[4] === '1',
    isArray,
    arrayLength: Number(/\d+(?=\])/.exec(brackets ?? '')?.[0] ?? 0),
    place,
    ...contentOf(type, holdsSeveral, elementBytesOf(type, place, bytes, brackets, longBytes)),
  };
}

interface Declaration {
  readonly loc?: string | undefined;
  readonly type: string;
  readonly name: string;
  readonly brackets: string | undefined;
}

/** `(__data_loc|__rel_loc) TYPE NAME [LENGTH]`, all but NAME optional. */
function declarationIn(text: string): Declaration | undefined {
  const [head, loc] = location.exec(text) ?? [];
  const dynamic = head === undefined ? undefined : typeAndName(text.slice(head.length));
  return dynamic === undefined ? typeAndName(text) : { ...dynamic, loc };
}

/**
 * Parses from the end, and without a regular expression, which would take quadratic time: minutes for a file of many
 * long lines.
 */
function typeAndName(text: string): Declaration | undefined {
  const bracket = lastBrackets(text).find((at) => endsWithWord(text.slice(0, at).trimEnd()));
  if (bracket === undefined && text.endsWith(']')) return undefined;
  const rest = text.slice(0, bracket).trimEnd();
  let start = rest.length;
  while (endsWithWord(rest, start)) start--;
  if (start === rest.length) return undefined;
  const brackets = bracket === undefined ? undefined : text.slice(bracket);
  return { type: rest.slice(0, start).trimEnd(), name: rest.slice(start), brackets };
}

/** Where the brackets at the end of the text may begin: the first `[` after the last but one `]`, or a later one. */
function lastBrackets(text: string): number[] {
  if (!text.endsWith(']')) return [];
  const starts: number[] = [];
  const before = text.length < 2 ? -1 : text.lastIndexOf(']', text.length - 2);
  for (let at = text.indexOf('[', before + 1); at >= 0; at = text.indexOf('[', at + 1)) starts.push(at);
  return starts;
}

/** Whether there is a letter, digit or underscore before `end`. */
function endsWithWord(text: string, end = text.length): boolean {
  return end > 0 && /\w/.test(text[end - 1]!);
}

function placeOf(loc: string | undefined, brackets: string | undefined, bytes: number): FieldPlace {
  if (loc === '__data_loc') return 'data-loc';
  if (loc === '__rel_loc') return 'rel-loc';
  return brackets !== undefined && bytes === 0 ? 'tail' : 'inline';
}

/**
 * Size of one element. For an inline field, the size of the field divided by the array length; otherwise the size of
 * the type. 0 if unknown.
 */
function elementBytesOf(
  type: string,
  place: FieldPlace,
  bytes: number,
  brackets: string | undefined,
  longBytes: 4 | 8,
): number {
  if (place === 'inline') return brackets === undefined ? bytes : bytes / Number(brackets.slice(1, -1));
  if (type === 'unsigned long' || type === 'long') return longBytes;
  return integerBytes.get(type) ?? 0;
}

function contentOf(
  type: string,
  isArray: boolean,
  elementBytes: number,
): Pick<Field, 'content' | 'elementBytes'> {
  if (isArray && /^(?:const )?char$/.test(type)) return { content: 'text', elementBytes: 1 };
  if (!isIntegerSize(elementBytes)) return { content: 'bytes', elementBytes: 1 };
  return { content: isArray ? 'integers' : 'integer', elementBytes };
}

function isIntegerSize(bytes: number): boolean {
  return bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8;
}

/** Element sizes by type, for arrays whose format does not give the element size. */
const integerBytes: ReadonlyMap<string, number> = new Map(
  Object.entries({
    1: ['u8', 's8', '__u8', '__s8', 'uint8_t', 'int8_t', 'unsigned char', 'signed char', 'bool'],
    2: ['u16', 's16', '__u16', '__s16', 'uint16_t', 'int16_t', 'unsigned short', 'short', '__be16', '__le16'],
    4: ['u32', 's32', '__u32', '__s32', 'uint32_t', 'int32_t', 'unsigned int', 'unsigned', 'int'],
    8: ['u64', 's64', '__u64', '__s64', 'uint64_t', 'int64_t', 'unsigned long long', 'long long'],
  }).flatMap(([bytes, types]) => types.map((type) => [type, Number(bytes)] as const)),
);
