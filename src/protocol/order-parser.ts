import { isObject, typeName } from '../base/json-type.ts';
import { quoted } from '../base/quoted.ts';
import { metadataParts, orderNames } from './control.ts';
import type { ErrorCode, MetadataDigests, MetadataPart, Order, OrderId, OrderName } from './control.ts';
import { isDigest, isGroup, maxGroups } from './metadata-groups.ts';
import { Refusal } from './refusal.ts';
import type { Line } from './line-reader.ts';
import { maxLineBytes } from './line-reader.ts';
import { parseTraceRequest } from './trace-request.ts';

export type ParsedLine =
  | { readonly kind: 'order'; readonly order: Order }
  | {
      readonly kind: 'refused';
      /** `null` when the line has no readable id. */
      readonly id: OrderId | null;
      readonly code: ErrorCode;
      readonly message: string;
      /** True if the sender uses JSON. The sender then gets an error answer; otherwise, the error is only logged. */
      readonly answerable: boolean;
    };

const maxIdLength = 64;

/** Parses one line of the control port. Pure; accepts any line and never throws. */
export function parseLine(line: Line): ParsedLine {
  if (line.kind === 'text') return parseOrder(line.text);
  const message = `a line is longer than ${maxLineBytes} bytes or has too many orders 1 and 0; it begins with ${quoted(line.head)}`;
  return refused('line-too-long', message, null, meantAsJson(line.head));
}

/** Parses the text of one line: `1`, `0` or a JSON object. Pure; accepts any text and never throws. */
export function parseOrder(text: string): ParsedLine {
  const line = text.trim();
  if (line === '1') return { kind: 'order', order: { order: 'start', id: undefined, answer: false } };
  if (line === '0') return { kind: 'order', order: { order: 'stop', id: undefined, answer: false } };
  const answerable = meantAsJson(line);
  // do not call JSON.parse, which would throw an exception for each line of a flood of noise
  if (!answerable) return refused('bad-json', `not 1, 0 or a JSON object: ${quoted(line)}`, null, answerable);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return refused('bad-json', `no JSON: ${quoted(line)}`, null, answerable);
  }
  if (!isObject(value))
    return refused('not-an-object', `an order is a JSON object, not ${typeName(value)}`, null, answerable);
  let id: OrderId | undefined;
  try {
    id = readId(value['id']);
    return { kind: 'order', order: readOrder(value, id) };
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    return refused(cause.code, cause.message, id ?? null, answerable);
  }
}

function refused(code: ErrorCode, message: string, id: OrderId | null, answerable: boolean): ParsedLine {
  return { kind: 'refused', id, code, message, answerable };
}

function meantAsJson(line: string): boolean {
  return line.startsWith('{') || line.startsWith('[');
}

function readId(id: unknown): OrderId | undefined {
  if (id === undefined) return undefined;
  if (typeof id === 'string' && id.length <= maxIdLength) return id;
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw new Refusal(
    'bad-id',
    `id must be a string of at most ${maxIdLength} characters or an integer below 2^53`,
  );
}

function readOrder(fields: Record<string, unknown>, id: OrderId | undefined): Order {
  const order = readOrderName(fields['order']);
  for (const field of Object.keys(fields)) {
    if (field === 'id' || field === 'order' || ownFields[order]?.includes(field) === true) continue;
    throw new Refusal('unknown-field', `${order} has no field ${quoted(field)}`);
  }
  // a JSON value is never undefined, so undefined means that the order does not have the field
  if (order === 'start' && fields['trace'] !== undefined) {
    return { order, id, answer: true, trace: parseTraceRequest(fields['trace']) };
  }
  if (order === 'metadata') {
    const part = fields['part'] === undefined ? {} : { part: readPart(fields['part']) };
    const have = fields['have'] === undefined ? {} : { have: readHave(fields['have']) };
    return { order, id, answer: true, ...part, ...have };
  }
  return { order, id, answer: true };
}

/** Fields that an order may have in addition to its name and id. */
const ownFields: Partial<Record<OrderName, readonly string[]>> = {
  start: ['trace'],
  metadata: ['part', 'have'],
};

function readPart(value: unknown): MetadataPart {
  const part = metadataParts.find((name) => name === value);
  if (part !== undefined) return part;
  const given = typeof value === 'string' ? quoted(value) : typeName(value);
  throw new Refusal('bad-value', `part must be one of ${metadataParts.join(', ')}, not ${given}`);
}

function readHave(value: unknown): MetadataDigests {
  if (!isObject(value)) throw new Refusal('bad-value', `have must be an object, not ${typeName(value)}`);
  const entries = Object.entries(value);
  if (entries.length > maxGroups)
    throw new Refusal('bad-value', `have has ${entries.length} entries; at most ${maxGroups} are allowed`);
  return Object.fromEntries(
    entries.map(([group, digest]): [string, string] => {
      if (!isGroup(group))
        throw new Refusal('bad-value', `have has ${quoted(group)}, which is not a group of files`);
      if (!isDigest(digest))
        throw new Refusal('bad-value', `have[${quoted(group)}] must be a digest of 32 hexadecimal digits`);
      return [group, digest];
    }),
  );
}

function readOrderName(value: unknown): OrderName {
  const order = orderNames.find((name) => name === value);
  if (order !== undefined) return order;
  const given = value === undefined ? 'none' : typeof value === 'string' ? quoted(value) : typeName(value);
  throw new Refusal('unknown-order', `order must be one of ${orderNames.join(', ')}, not ${given}`);
}
