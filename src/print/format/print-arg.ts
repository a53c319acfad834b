import type { PrintField } from './print-field.ts';

/** The kinds of arguments, numbered as libtraceevent does: some of its messages contain the number. */
export const argKind = {
  none: 0,
  atom: 1,
  field: 2,
  flags: 3,
  symbol: 4,
  hex: 5,
  intArray: 6,
  cast: 7,
  string: 8,
  bytes: 9,
  dynamicArray: 10,
  op: 11,
  call: 12,
  bitmask: 13,
  dynamicArrayLength: 14,
  hexString: 15,
  cpumask: 16,
} as const;

export type ArgKind = (typeof argKind)[keyof typeof argKind];

/** One `{ value, text }` of `__print_flags` and `__print_symbolic`. */
export interface NamedValue {
  readonly value: string;
  readonly text: string;
}

/** A value that is decoded again for each record. */
export interface Slot {
  value: bigint;
  /** Text, for kind `bytes`. */
  source: Uint8Array;
  start: number;
  end: number;
}

/**
 * One argument of a print format, or a part of one. A node changes while its expression is parsed: `a` becomes the left
 * side of `a + b`. Which properties are set depends on `kind`.
 */
export class PrintArg {
  kind: ArgKind = argKind.none;
  /**
   * Atom: its text. Cast: the type. Operation: the operator. String and masks: the field's name. Call: the function.
   */
  text = '';
  /** Field, dynamic array and its length; undefined if the event has no such field. */
  field: PrintField | undefined;
  /** Operation: both sides; a unary operator has a left side of kind `none`. */
  left: PrintArg | undefined;
  right: PrintArg | undefined;
  priority = 0;
  /** Cast: the operand. Flags, symbol, hex, array: the value. */
  item: PrintArg | undefined;
  /** Flags: separator between names. */
  delimiter = '';
  names: readonly NamedValue[] = [];
  /** Hex: size in bytes. Array: number of elements. */
  count: PrintArg | undefined;
  /** Array: size of an element in bytes. */
  elementSize: PrintArg | undefined;
  /** An argument of trace_printk; its value is in the record. */
  slot: Slot | undefined;
  /** Call: its arguments. */
  args: readonly PrintArg[] = [];

  /** Moves this node's contents to a new node, so that this one can become its parent. */
  moved(): PrintArg {
    return Object.assign(new PrintArg(), this);
  }
}
