import type { EventFormat } from '../../trace/format/event-format.ts';
import { literal } from './sql-text.ts';

/** TASK_REPORT of Linux 4.14 and later. */
const usualLetters: readonly (readonly [bit: number, letter: string])[] = [
  [0x01, 'S'],
  [0x02, 'D'],
  [0x04, 'T'],
  [0x08, 't'],
  [0x10, 'X'],
  [0x20, 'Z'],
  [0x40, 'P'],
  [0x80, 'I'],
];

/**
 * An SQL expression for the letters of `prev_state`: `S`, `D`, `R+` (preempted). Uses the bits named in the guest's own
 * `sched_switch` format.
 */
export function stateText(format: EventFormat, state: string): string {
  const named = [...format.printFormat.matchAll(/\{ ?(0x[0-9a-f]{1,8}|\d{1,8}), "([A-Za-z])" ?\}/g)]
    .map(([, bit = '', letter = '']): readonly [number, string] => [Number(bit), letter])
    .filter(([bit]) => bit > 0 && bit < 2 ** 30)
    .slice(0, 16);
  const letters = named.length > 0 ? named : usualLetters;
  const all = letters.reduce((mask, [bit]) => mask | bit, 0);
  // TASK_REPORT_MAX: the bit above the last state
  const preempted = 2 ** (Math.floor(Math.log2(all)) + 1);
  const parts = letters.map(
    ([bit, letter]) => `CASE WHEN ${state} & ${bit} <> 0 THEN ${literal(letter)} END`,
  );
  return (
    `CASE WHEN ${state} & ${all} = 0 THEN 'R' ELSE concat_ws('|', ${parts.join(', ')}) END` +
    ` || CASE WHEN ${state} & ${preempted} <> 0 THEN '+' ELSE '' END`
  );
}
