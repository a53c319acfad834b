import assert from 'node:assert/strict';

/** A message's fields in order: integers (also those of eight bytes), or the bytes of texts and messages. */
export function fieldsOf(message: Uint8Array): [number, bigint | Uint8Array][] {
  const fields: [number, bigint | Uint8Array][] = [];
  for (let at = 0; at < message.length; ) {
    const tag = readVarint(message, at);
    const number = Number(tag.value >> 3n);
    const type = Number(tag.value & 7n);
    if (type === 1) {
      const eight = Buffer.from(message.slice(tag.end, tag.end + 8));
      fields.push([number, eight.readBigUInt64LE()]);
      at = tag.end + 8;
      continue;
    }
    const value = readVarint(message, tag.end);
    assert.ok(type === 0 || type === 2, `wire type ${type}`);
    at = value.end + (type === 2 ? Number(value.value) : 0);
    assert.ok(at <= message.length, 'a field ends beyond its message');
    fields.push([number, type === 0 ? value.value : message.slice(value.end, at)]);
  }
  return fields;
}

export function readVarint(bytes: Uint8Array, at: number): { readonly value: bigint; readonly end: number } {
  let value = 0n;
  for (let end = at, shift = 0n; ; shift += 7n) {
    const byte = bytes[end++];
    assert.ok(byte !== undefined, 'a varint ends beyond the bytes');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, end };
  }
}
