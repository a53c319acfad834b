import { randomInt } from 'node:crypto';
import type { OrderName } from '../../protocol/control.ts';

const idLength = 20;
const letterA = 97;

/**
 * An id that no earlier host has used and no guest can guess. Letters only: the original C agent reads two bytes at a
 * time, and must not find a `1` or `0` in them.
 */
export function newId(): string {
  return Array.from({ length: idLength }, () => String.fromCharCode(letterA + randomInt(26))).join('');
}

/**
 * The line of an order. Its length is even, so that the original C agent, which reads two bytes at a time, still finds
 * the next bare order.
 */
export function lineOf(order: { readonly id: string; readonly order: OrderName }): Buffer {
  const line = Buffer.from(`${JSON.stringify(order)}\n`);
  return line.length % 2 === 0 ? line : Buffer.concat([Buffer.from(' '), line]);
}

/**
 * Finds the answer to the order with this id in a line; undefined when there is none. The answer may start in the
 * middle of the line: an earlier host may have left a part of a payload unread, and a payload does not end with a
 * newline.
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
