import type { Field } from '../format/field.ts';
import { readBytes, readText } from '../format/record-data.ts';
import type { Candidate, Test } from './candidate.ts';
import { narrowField, type Wide, wideField, widened } from './numbers.ts';
import { posixRegExp } from './posix-regexp.ts';

/** Reads a text from an event; undefined if the record does not contain it. */
export type Text = (event: Candidate) => string | undefined;

/** Data of the trace that a filter needs besides the formats. */
export interface FilterNames {
  /** The name of a task; undefined if unknown. */
  readonly task: (pid: number) => string | undefined;
  /** The kernel function that contains an address; undefined if unknown. */
  readonly functionAt?: (address: bigint) => string | undefined;
}

/** trace-cmd's name for a task whose name the guest did not save. */
const noName = '<...>';

export function taskText({ task }: FilterNames): Text {
  return ({ pid }) => task(pid) ?? noName;
}

/**
 * A field as text, as trace-cmd compares it: text and bytes up to their first NUL; the function of an address; any
 * other number as hexadecimal. Undefined for fields without a text form.
 */
export function fieldText(field: Field, { functionAt }: FilterNames): Text | undefined {
  if (field.content === 'text') return ({ cursor }) => readText(cursor, field);
  if (field.content === 'integer') {
    const narrow = narrowField(field);
    const wide = narrow === undefined ? wideField(field) : widened(narrow);
    return /long|\*/.test(field.type) ? addressText(wide, functionAt) : addressText(wide, undefined);
  }
  if (field.elementBytes !== 1 || !/char|u8|s8/.test(field.type)) return undefined;
  return ({ cursor }) => {
    const bytes = readBytes(cursor, field);
    if (bytes === undefined) return undefined;
    const nul = bytes.indexOf(0);
    return Buffer.from(bytes.buffer, bytes.byteOffset, nul < 0 ? bytes.length : nul).toString();
  };
}

function addressText(value: Wide, functionAt: FilterNames['functionAt']): Text {
  return (event) => {
    const address = value(event);
    return address === undefined ? undefined : (functionAt?.(address) ?? `0x${address.toString(16)}`);
  };
}

/** Compares a text with a string, or matches it with a regular expression. Throws PatternError. */
export function compareText(text: Text, op: '==' | '!=' | '=~' | '!~', constant: string): Test {
  switch (op) {
    case '==':
      return (event) => text(event) === constant;
    case '!=':
      return (event) => {
        const found = text(event);
        return found !== undefined && found !== constant;
      };
    case '=~':
    case '!~': {
      const pattern = posixRegExp(constant);
      const wanted = op === '=~';
      return (event) => {
        const found = text(event);
        return found !== undefined && pattern.test(found) === wanted;
      };
    }
    default:
      return op satisfies never;
  }
}
