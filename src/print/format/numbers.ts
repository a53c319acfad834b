import { softirqNames } from '../../trace/format/softirq-names.ts';

const mask64 = (1n << 64n) - 1n;

/** The number at the start of the text, like strtoull(text, NULL, 0); 0 if there is none. */
export function parseUnsigned(text: string): bigint {
  const [, sign, hex, octal, decimal] =
    /^\s*([-+]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9]\d*))/.exec(text) ?? [];
  let value = 0n;
  if (hex !== undefined) value = BigInt(`0x${significant(hex)}`);
  else if (octal !== undefined && octal.length > 1) value = BigInt(`0o${significant(octal)}`);
  else if (decimal !== undefined) value = BigInt(significant(decimal));
  if (value > mask64) return mask64;
  return sign === '-' ? BigInt.asUintN(64, -value) : value;
}

/**
 * Number of digits that are converted, more than a 64-bit number has: converting millions of digits would take seconds.
 */
const mostDigits = 24;

function significant(digits: string): string {
  return digits.length <= mostDigits ? digits : digits.replace(/^0+(?=.)/, '').slice(0, mostDigits);
}

/** As `parseUnsigned`, but for a signed number, like strtoll(text, NULL, 0). */
export function parseSigned(text: string): bigint {
  const [, sign] = /^\s*(-?)/.exec(text) ?? [];
  const magnitude = parseUnsigned(text.replace(/^\s*[-+]/, ''));
  const most = (1n << 63n) - (sign === '-' ? 0n : 1n);
  const bounded = magnitude > most ? most : magnitude;
  return sign === '-' ? -bounded : bounded;
}

/** Symbolic constants in format files that libtraceevent can resolve. */
const knownNames: ReadonlyMap<string, bigint> = new Map([
  ...softirqNames.map((name, vector) => [`${name}_SOFTIRQ`, BigInt(vector)] as const),
  ['HRTIMER_NORESTART', 0n],
  ['HRTIMER_RESTART', 1n],
]);

/** The value of an entry of `__print_flags` or `__print_symbolic`, signed; -1 for an unknown constant. */
export function namedValue(text: string): bigint {
  if (/^\d/.test(text)) return BigInt.asIntN(64, parseUnsigned(text));
  return knownNames.get(text) ?? -1n;
}

/** The result of a C operator on two unsigned 64-bit values; undefined for unknown operators and division by zero. */
export function operate(operator: string, left: bigint, right: bigint): bigint | undefined {
  const bool = (value: boolean): bigint => (value ? 1n : 0n);
  const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
  switch (operator) {
    case '>>':
      return left >> (right & 63n);
    case '<<':
      return wrap(left << (right & 63n));
    case '>':
      return bool(left > right);
    case '>=':
      return bool(left >= right);
    case '<':
      return bool(left < right);
    case '<=':
      return bool(left <= right);
    case '==':
      return bool(left === right);
    case '!=':
      return bool(left !== right);
    case '&&':
      return bool(left !== 0n && right !== 0n);
    case '||':
      return bool(left !== 0n || right !== 0n);
    case '&':
      return left & right;
    case '|':
      return left | right;
    case '^':
      return left ^ right;
    case '+':
      return wrap(left + right);
    case '-':
      return wrap(left - right);
    case '*':
      return wrap(left * right);
    case '/':
      return right === 0n ? undefined : left / right;
    case '%':
      return right === 0n ? undefined : left % right;
    default:
      return undefined;
  }
}
