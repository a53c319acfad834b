import { randomInt } from 'node:crypto';
import type { OrderName } from '../../protocol/control.ts';

const idLength = 20;
const letterA = 97;

/**
 * An id that no earlier host has used and no guest can guess. Letters only: an agent of the original's kind reads two
 * bytes at a time, and must find no `1` and no `0` in them.
 */
export function newId(): string {
  return Array.from({ length: idLength }, () => String.fromCharCode(letterA + randomInt(26))).join('');
}

/** An order's line. Of even length, so that an agent of the original's kind, which reads two bytes at a time, finds the next bare order whole. */
export function lineOf(order: { readonly id: string; readonly order: OrderName }): Buffer {
  const line = Buffer.from(`${JSON.stringify(order)}\n`);
  return line.length % 2 === 0 ? line : Buffer.concat([Buffer.from(' '), line]);
}

/**
 * The answer to an id within a line, undefined when there is none. It need not begin the line: an earlier host may
 * have left a payload half-read, which has no newline at its end.
 */
export function answerIn(line: Buffer, id: string): unknown {
  const from = Math.max(0, line.indexOf(`{"id":"${id}"`));
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8', from));
  } catch {
    return undefined;
  }
  return typeof value === 'object' && value !== null && 'id' in value && value.id === id ? value : undefined;
}
