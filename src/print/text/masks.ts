/** A bitmask as the kernel prints it: hexadecimal, the highest word first, a comma every 32 bits. */
export function bitmaskText(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes.toReversed()).toString('hex');
  const words: string[] = [];
  // the highest word may be shorter; a pattern that looks for the end would take quadratic time
  for (let end = digits.length % 8 || 8, from = 0; from < digits.length; from = end, end += 8)
    words.push(digits.slice(from, end));
  return words.join(',');
}

/** A CPU mask as a list of ranges, such as `0-3,8`. */
export function cpumaskText(bytes: Uint8Array): string {
  const ranges: string[] = [];
  let first = -1;
  for (let bit = 0; bit <= bytes.length * 8; bit++) {
    const isSet = bit < bytes.length * 8 && (bytes[bit >> 3]! >> (bit & 7)) & 1;
    if (isSet && first < 0) first = bit;
    if (!isSet && first >= 0) {
      ranges.push(bit - 1 > first ? `${first}-${bit - 1}` : String(first));
      first = -1;
    }
  }
  return ranges.join(',');
}
