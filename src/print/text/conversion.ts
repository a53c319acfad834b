import type { TextBuffer } from './text-buffer.ts';

/** One conversion specification of printf, such as `%-5d`, without its length modifiers. */
export interface Conversion {
  readonly left: boolean;
  readonly plus: boolean;
  readonly alternate: boolean;
  readonly zero: boolean;
  /** Negative if there is no width; `'*'` if an argument gives it. */
  readonly width: number | '*';
  readonly precision: number | '*';
  /** `d i u x X o c s p` */
  readonly letter: string;
  /** Whether it has no flags, no width and no precision. */
  readonly isPlain: boolean;
}

/** Limit for width and precision: a guest's format could ask for gigabytes. */
const maxWidth = 4096;

/** Parses a specification that begins with `%` and ends with its letter, as `formatParts` cuts it. */
export function parseConversion(text: string): Conversion {
  let at = 1;
  const flags = new Set<string>();
  while ('-+#0'.includes(text[at] ?? '?')) flags.add(text[at++]!);
  const number = (): number | '*' => {
    if (text[at] === '*') {
      at++;
      return '*';
    }
    const digits = /^\d*/.exec(text.slice(at))![0];
    at += digits.length;
    return digits === '' ? -1 : Math.min(Number(digits), maxWidth);
  };
  const width = number();
  let precision: number | '*' = -1;
  if (text[at] === '.') {
    at++;
    precision = number();
    if (precision === -1) precision = 0;
  }
  return {
    left: flags.has('-'),
    plus: flags.has('+'),
    alternate: flags.has('#'),
    zero: flags.has('0'),
    width,
    precision,
    letter: /[a-zA-Z]$/.exec(text)?.[0] ?? 's',
    isPlain: flags.size === 0 && width === -1 && precision === -1,
  };
}

/** Replaces the `*` of a conversion by its argument, a C int. */
export function withArgument(conversion: Conversion, argument: number): Conversion {
  const { width, precision } = conversion;
  if (width === '*') {
    const bounded = Math.min(Math.abs(argument), maxWidth);
    return { ...conversion, left: conversion.left || argument < 0, width: bounded };
  }
  // a negative precision counts as none
  if (precision === '*')
    return { ...conversion, precision: argument < 0 ? -1 : Math.min(argument, maxWidth) };
  return conversion;
}

/** Appends an integer as printf does; for `x X o u` the value must not be negative. */
export function writeInteger(out: TextBuffer, conversion: Conversion, value: number | bigint): void {
  const { letter } = conversion;
  if (letter === 'c') {
    if ((Number(value) & 0xff) === 0) out.cut();
    writePadded(out, conversion, String.fromCharCode(Number(value) & 0xff));
    return;
  }
  const isNegative = value < 0;
  const magnitude = isNegative ? -value : value;
  let digits = magnitude.toString(letter === 'o' ? 8 : letter === 'x' || letter === 'X' ? 16 : 10);
  if (letter === 'X') digits = digits.toUpperCase();
  const precision = conversion.precision === '*' ? -1 : conversion.precision;
  if (precision === 0 && value == 0) digits = '';
  if (precision > digits.length) digits = digits.padStart(precision, '0');
  let sign = '';
  if (letter === 'd' || letter === 'i') sign = isNegative ? '-' : conversion.plus ? '+' : '';
  else if (conversion.alternate && letter === 'o' && !digits.startsWith('0')) digits = `0${digits}`;
  else if (conversion.alternate && letter !== 'o' && letter !== 'u' && value != 0) sign = `0${letter}`;
  if (conversion.zero && !conversion.left && precision < 0 && conversion.width !== '*')
    digits = digits.padStart(conversion.width - sign.length, '0');
  writePadded(out, conversion, sign + digits);
}

function writePadded(out: TextBuffer, { left, width }: Conversion, text: string): void {
  const missing = width === '*' ? 0 : width - text.length;
  if (!left) out.spaces(missing);
  out.string(text);
  if (left) out.spaces(missing);
}

/** Appends `source[start..end)` up to its first NUL as `%s` does. */
export function writeText(
  out: TextBuffer,
  conversion: Conversion,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  const { left, width, precision } = conversion;
  const most = typeof precision === 'number' && precision >= 0 ? Math.min(end, start + precision) : end;
  let stop = start;
  while (stop < most && source[stop] !== 0) stop++;
  if (conversion.isPlain) {
    out.copy(source, start, stop);
    return;
  }
  const missing = width === '*' ? 0 : width - (stop - start);
  if (!left) out.spaces(missing);
  out.copy(source, start, stop);
  if (left) out.spaces(missing);
}
