import { operate, parseSigned } from './numbers.ts';
import { argKind, type PrintArg } from './print-arg.ts';
import { castValue } from './cast.ts';

/** The text of a constant argument: the atom's text, or the value of an expression. Undefined if it is not constant. */
export function namedValueText(arg: PrintArg): string | undefined {
  switch (arg.kind) {
    case argKind.atom:
      return arg.text;
    case argKind.cast:
      return namedValueText(arg.item!);
    case argKind.op:
      return signedValue(arg)?.toString();
    default:
      return undefined;
  }
}

/** Operators that libtraceevent evaluates in constant expressions. */
const constantOperators: ReadonlySet<string> = new Set('| || & && < << <= > >> >= == != - +'.split(' '));

function signedValue(arg: PrintArg): bigint | undefined {
  switch (arg.kind) {
    case argKind.atom:
      return parseSigned(arg.text);
    case argKind.cast: {
      const value = signedValue(arg.item!);
      return value === undefined
        ? undefined
        : BigInt.asIntN(64, castValue(arg.text, BigInt.asUintN(64, value)));
    }
    case argKind.op:
      return operationValue(arg);
    default:
      return undefined;
  }
}

function operationValue({ text, left, right }: PrintArg): bigint | undefined {
  const second = right && signedValue(right);
  if (second === undefined) return undefined;
  if (text === '~') return ~second;
  const isUnary = left?.kind === argKind.none;
  if (!constantOperators.has(text) || (isUnary && text !== '-' && text !== '+')) return undefined;
  const first = isUnary ? 0n : left && signedValue(left);
  if (first === undefined) return undefined;
  // unlike operators in arguments, these compare and shift signed values
  if (text === '>>') return first >> (second & 63n);
  if (text.startsWith('<') && text !== '<<') return BigInt(text === '<' ? first < second : first <= second);
  if (text.startsWith('>')) return BigInt(text === '>' ? first > second : first >= second);
  const result = operate(text, BigInt.asUintN(64, first), BigInt.asUintN(64, second));
  return result === undefined ? undefined : BigInt.asIntN(64, result);
}
