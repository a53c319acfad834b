import { type Conversion, parseConversion } from '../text/conversion.ts';
import type { PrintArg } from '../format/print-arg.ts';

/** Text between conversions. */
export interface LiteralPart {
  readonly kind: 'literal';
  readonly bytes: Uint8Array;
}

/** One conversion and its argument. */
export interface ConversionPart {
  readonly kind: 'number' | 'pointer' | 'text';
  /** The text from `%` to the conversion letter, including a pointer extension, e.g. `%pI4`. */
  readonly spec: string;
  readonly conversion: Conversion;
  /** Size given by the length modifiers: -2 char, -1 short, 0 int, 1 long, 2 long long. */
  readonly size: number;
  readonly arg: PrintArg;
  /** The argument of a `*`. */
  readonly lengthArg: PrintArg | undefined;
}

export type FormatPart = LiteralPart | ConversionPart;

export interface FormatParts {
  readonly parts: readonly FormatPart[];
  /** The format and its arguments do not match; `parts` ends at the mismatch. */
  readonly failed: boolean;
}

/**
 * Limit for the number of conversions in one format; the kernel's formats have a few dozen. Each conversion may read
 * the whole record, even if it prints none of it.
 */
const maxConversions = 1000;

/** Splits a format string and matches its conversions with the arguments, as libtraceevent does. */
export function formatParts(format: string, args: readonly PrintArg[]): FormatParts {
  const parts: FormatPart[] = [];
  let nextArg = 0;
  let conversions = 0;
  let failed = false;
  for (let at = 0; at < format.length; ) {
    if (format[at] !== '%' || format[at + 1] === '%') {
      const literal = literalAt(format, at);
      parts.push({ kind: 'literal', bytes: Buffer.from(literal.text, 'latin1') });
      at = literal.end;
      continue;
    }
    if (++conversions > maxConversions) return { parts, failed: true };
    const found = conversionAt(format, at);
    const from = at;
    at = found.end;
    if (found.kind === 'unknown') {
      // a conversion that is cut off by the end of the text prints nothing
      if (found.text !== '') parts.push({ kind: 'literal', bytes: Buffer.from(found.text, 'latin1') });
      continue;
    }
    const lengthArg = found.stars > 0 ? args[nextArg++] : undefined;
    const arg = found.stars > 1 ? undefined : args[nextArg++];
    if (arg === undefined) {
      failed = true;
      // libtraceevent continues at the letter or the second star and prints it as text
      at = from + found.lead;
      continue;
    }
    if (found.spec.length > 31) failed = true;
    if (found.kind === 'number' && (found.size < -2 || found.size > 2)) failed = true;
    const { kind, spec, size } = found;
    parts.push({ kind, spec, conversion: parseConversion(modifierless(spec, kind)), size, arg, lengthArg });
  }
  return { parts, failed };
}

function modifierless(spec: string, kind: ConversionPart['kind']): string {
  return kind === 'pointer' ? '%p' : spec.replaceAll(/[hlLzZ]/g, '');
}

function literalAt(format: string, from: number): { readonly text: string; readonly end: number } {
  let text = '';
  let at = from;
  for (; at < format.length; at++) {
    const character = format[at]!;
    if (character === '\\') {
      const escaped = format[++at] ?? '';
      text += escapes.get(escaped) ?? escaped;
    } else if (character === '%') {
      if (format[at + 1] !== '%') break;
      text += '%';
      at++;
    } else {
      text += character;
    }
  }
  return { text, end: at };
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
]);

type FoundConversion =
  | { readonly kind: 'unknown'; readonly text: string; readonly end: number }
  | {
      readonly kind: ConversionPart['kind'];
      readonly spec: string;
      readonly size: number;
      readonly stars: number;
      /** Number of characters before the letter, or before a second star. */
      readonly lead: number;
      readonly end: number;
    };

function conversionAt(format: string, from: number): FoundConversion {
  let size = 0;
  let stars = 0;
  let secondStar = 0;
  for (let at = from + 1; at < format.length; at++) {
    const character = format[at]!;
    if (/[#.0-9-]/.test(character)) continue;
    switch (character) {
      case 'h':
        size--;
        continue;
      case 'l':
        size++;
        continue;
      case 'L':
        size = 2;
        continue;
      case 'z':
      case 'Z':
        size = 1;
        continue;
      case '*':
        stars++;
        if (stars === 2) secondStar = at - from;
        continue;
      case 'p': {
        const end = at + 1 + pointerExtension(format.slice(at + 1, at + 10));
        return {
          kind: 'pointer',
          spec: format.slice(from, end),
          size,
          stars,
          lead: secondStar || at - from,
          end,
        };
      }
      case 's':
        return {
          kind: 'text',
          spec: format.slice(from, at + 1),
          size: 0,
          stars,
          lead: secondStar || at - from,
          end: at + 1,
        };
      default:
        // %c too: libtraceevent 1.7 does not support it, so the next conversion uses its argument
        if (!'duixXo'.includes(character)) return { kind: 'unknown', text: `>${character}<`, end: at + 1 };
        return {
          kind: 'number',
          spec: format.slice(from, at + 1),
          size,
          stars,
          lead: secondStar || at - from,
          end: at + 1,
        };
    }
  }
  return { kind: 'unknown', text: '', end: format.length };
}

/** Length of the pointer extension after `%p`. */
function pointerExtension(text: string): number {
  const [first = '', second = ''] = text;
  switch (first) {
    case 'F':
    case 'S':
    case 'f':
    case 's':
      return 1;
    case 'M':
    case 'm':
      return 'RF'.includes(second) && second !== '' ? 2 : 1;
    case 'I':
    case 'i':
      return internetExtension(text);
    case 'U':
      return 'LlBb'.includes(second) && second !== '' ? 2 : 1;
    case 'h':
      return 'CDN'.includes(second) && second !== '' ? 2 : 1;
    default:
      return 0;
  }
}

/** `I4[hnbl]`, `I6[c]`, `IS[pfs]*[hnbl][c]`, or with `i` instead of `I`. */
function internetExtension(text: string): number {
  switch (text[1]) {
    case '4':
      return /^.4[hnlb]?/.exec(text)![0].length;
    case '6':
      return /^.6c?/.exec(text)![0].length;
    case 'S':
      return /^.S[pfs]*[hnlb]?c?/.exec(text)![0].length;
    default:
      return 1;
  }
}
