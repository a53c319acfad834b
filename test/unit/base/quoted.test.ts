import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { json, printable, quoted } from '../../../src/base/quoted.ts';

describe('quoted', () => {
  it('returns text in quotes, cut, without control characters for a terminal or a log', () => {
    assert.equal(quoted('sched'), '"sched"');
    assert.equal(quoted('a"b\n\u001b[31m'), '"a\\"b\\n\\u001b[31m"');
    assert.equal(quoted('\u007f\u009b\u2028\u202e'), '"\\u{7f}\\u{9b}\\u{2028}\\u{202e}"');
    assert.equal(quoted('x'.repeat(65)), `"${'x'.repeat(64)}…"`);
    assert.equal(quoted('x'.repeat(64)), `"${'x'.repeat(64)}"`);
  });
});

describe('printable', () => {
  it('leaves a path unchanged, except for control characters', () => {
    assert.equal(printable('/etc/ünï code.json'), '/etc/ünï code.json');
    assert.equal(printable('/a\nb'), '/a\\u{a}b');
  });
});

it('JSON for a terminal has the same content without control characters', () => {
  const value = { text: '\x1b[31m \u009b2J \x7f \u202e \u2028 \u{e0041} ä "quoted" \\u009b' };
  const text = json(value);
  assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.ok(text.includes('ä'), 'what is harmless stays readable');
  assert.deepEqual(JSON.parse(text), value);
});
