import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { PatternError, posixRegExp } from '../../../../src/trace/filter/posix-regexp.ts';

const b = String.raw;

describe('regular expressions of trace-cmd', () => {
  it('are basic ones: + ? | ( ) { } mean themselves, and their meaning comes with a backslash', () => {
    const matches: readonly (readonly [pattern: string, text: string, does: boolean])[] = [
      ['a+', 'a+', true],
      ['a+', 'aa', false],
      [b`^a\+$`, 'aaa', true],
      [b`^ab\?$`, 'a', true],
      ['a|b', 'a', false],
      ['a|b', 'a|b', true],
      [b`^\(a\|b\)c$`, 'bc', true],
      ['(a)', 'a', false],
      ['(a)', '(a)', true],
      [b`^a\{2,3\}$`, 'aaa', true],
      [b`^a\{2,3\}$`, 'aaaa', false],
      ['^ba**$', 'baa', true],
      [b`^b\**$`, 'b**', true],
      ['a{2}', 'aa', false],
      ['a{2}', 'a{2}', true],
      [b`^\(.\)\1$`, 'xx', true],
      [b`^\(.\)\1$`, 'xy', false],
    ];
    for (const [pattern, text, does] of matches)
      assert.equal(posixRegExp(pattern).test(text), does, `${pattern} ${text}`);
  });

  it('ignore case, have no lines, and know where ^, $ and * mean themselves', () => {
    const matches: readonly (readonly [pattern: string, text: string, does: boolean])[] = [
      ['SWAPPER', 'swapper/0', true],
      ['a.b', 'a\nb', true],
      ['^b', 'a\nb', false],
      ['*a', '*a', true],
      ['^*a', '*a', true],
      [b`\(*a\)`, '*a', true],
      ['a^b', 'a^b', true],
      ['a$b', 'a$b', true],
      [b`\(^a\)`, 'ba', false],
      [b`x\|^a$`, 'ba', false],
      [b`a\.b`, 'acb', false],
      [b`a\*`, 'a*', true],
      ['a/b', 'a/b', true],
    ];
    for (const [pattern, text, does] of matches)
      assert.equal(posixRegExp(pattern).test(text), does, `${pattern} ${text}`);
  });

  it('have sets in which a backslash means itself', () => {
    const matches: readonly (readonly [pattern: string, text: string, does: boolean])[] = [
      [b`^[\n]$`, 'n', true],
      [b`^[\n]$`, '\\', true],
      [b`^[\n]$`, '\n', false],
      ['^[]a]$', ']', true],
      ['^[^]a]$', ']', false],
      ['^[^]a]$', 'b', true],
      ['^[a-c]$', 'b', true],
      ['^[a-]$', '-', true],
      ['^[-a]$', '-', true],
      ['^[[:digit:]_]*$', '12_3', true],
      ['^[^[:alpha:]]$', 'a', false],
      ['^[[:upper:]]', 'a', true],
      ['^[.^$*]$', '^', true],
    ];
    for (const [pattern, text, does] of matches)
      assert.equal(posixRegExp(pattern).test(text), does, `${pattern} ${text}`);
  });

  it('match a whole name where they name events', () => {
    assert.ok(posixRegExp(b`sched_switch\|irq`, true).test('IRQ'));
    assert.ok(!posixRegExp(b`sched_switch\|irq`, true).test('softirq'));
    assert.ok(!posixRegExp(b`sched_switch\|irq`, true).test('sched_switch_x'));
  });

  it('are refused if they cannot be', () => {
    for (const pattern of [
      '[a',
      b`\(a`,
      b`a\)`,
      b`a\{2`,
      b`a\{x\}`,
      b`a\1`,
      b`a\{3,2\}`,
      'a\\',
      '[b-a]',
      '[[:nope:]]',
    ])
      assert.throws(() => posixRegExp(pattern), PatternError, pattern);
  });

  it('of any text are an expression or an error', () => {
    const part = fc.constantFrom(
      'a',
      '\\',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '*',
      '^',
      '$',
      '|',
      '-',
      ':',
      '1',
      '[:alpha:]',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        try {
          posixRegExp(parts.join('')).test('a(a)[]');
        } catch (error) {
          assert.ok(error instanceof PatternError);
        }
      }),
    );
  });
});
