import { operate, parseUnsigned } from './numbers.ts';
import { argKind, PrintArg } from './print-arg.ts';

export const binaryOperators: ReadonlySet<string> = new Set(
  '>> << & | && || - + * ^ / % < > <= >= == !='.split(' '),
);

/** Makes the argument the left side of an operation, which takes its place. */
export function becomeOperation(arg: PrintArg, operator: string): void {
  const left = arg.moved();
  Object.assign(arg, new PrintArg());
  arg.kind = argKind.op;
  arg.text = operator;
  arg.left = left;
}

/** Sets the right side; an operator of lower precedence on the right becomes the root. */
export function attachRight(arg: PrintArg, right: PrintArg, operator: string): void {
  if (right.kind !== argKind.op || priorityOf(operator) >= priorityOf(right.text)) {
    arg.right = right;
    return;
  }
  arg.right = right.left;
  const inner = arg.moved();
  Object.assign(arg, right);
  Object.assign(right, inner);
  arg.left = right;
}

const priorities: ReadonlyMap<string, number> = new Map([
  ['++', 3],
  ['--', 3],
  ['~', 4],
  ['!', 4],
  ['*', 6],
  ['/', 6],
  ['%', 6],
  ['+', 7],
  ['-', 7],
  ['>>', 8],
  ['<<', 8],
  ['<', 9],
  ['>', 9],
  ['>=', 9],
  ['<=', 9],
  ['==', 10],
  ['!=', 10],
  ['&', 11],
  ['^', 12],
  ['|', 13],
  ['&&', 14],
  ['||', 15],
  ['?', 16],
]);

/** The operator's priority: a smaller number binds tighter. -1 if the text is not an operator. */
export function priorityOf(operator: string): number {
  return priorities.get(operator) ?? -1;
}

/** Replaces operations on two constants by their result. */
export function consolidate(arg: PrintArg): void {
  if (arg.kind !== argKind.op) return;
  const { left, right } = arg;
  if (left !== undefined) consolidate(left);
  if (right !== undefined) consolidate(right);
  if (left?.kind !== argKind.atom || right?.kind !== argKind.atom) return;
  const result = operate(arg.text, parseUnsigned(left.text), parseUnsigned(right.text));
  if (result === undefined) return;
  Object.assign(arg, new PrintArg());
  arg.kind = argKind.atom;
  arg.text = BigInt.asIntN(64, result).toString();
}
