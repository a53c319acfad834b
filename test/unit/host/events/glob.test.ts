import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { globOf } from '../../../../src/host/events/glob.ts';

function matches(pattern: string, ...names: string[]): void {
  for (const name of names) assert.ok(globOf(pattern).test(name), `${pattern} takes ${name}`);
}

function refuses(pattern: string, ...names: string[]): void {
  for (const name of names) assert.ok(!globOf(pattern).test(name), `${pattern} leaves ${name}`);
}

describe('a glob of event names', () => {
  it('supports stars and question marks', () => {
    matches('sched_*', 'sched_', 'sched_switch');
    refuses('sched_*', 'sched', 'xsched_switch');
    matches('softirq_e?it', 'softirq_exit');
    refuses('softirq_e?it', 'softirq_eit', 'softirq_exxit');
    matches('*wake*', 'sched_wakeup', 'wake');
  });

  it('supports classes, ranges and their negation', () => {
    matches('sched_[sw]*', 'sched_switch', 'sched_wakeup');
    refuses('sched_[sw]*', 'sched_migrate_task');
    matches('[a-c9]x', 'ax', 'cx', '9x');
    refuses('[a-c9]x', 'dx', '-x');
    for (const negated of ['[!a-c]x', '[^a-c]x']) {
      matches(negated, 'dx');
      refuses(negated, 'ax', 'bx');
    }
    matches('[]a]x', ']x', 'ax');
    refuses('[c-a]x', 'ax', 'bx', 'cx');
    matches(String.raw`[\d]`, 'd', '\\');
    refuses(String.raw`[\d]`, '5');
  });

  it('has no other special characters', () => {
    matches('a+b.c(d)|e{2}^$', 'a+b.c(d)|e{2}^$');
    refuses('sched.switch', 'sched_switch');
    matches('open[', 'open[');
    matches('close]', 'close]');
  });

  it('is fast for many stars and a long name', () => {
    refuses(`${'*a'.repeat(30)}*b`, 'a'.repeat(255));
    matches(`${'*a'.repeat(30)}*`, 'a'.repeat(255));
  });

  it('matches itself if it has no special characters, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (text) => {
        const glob = globOf(text);
        return /[*?[]/.test(text) || glob.test(text);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.constantFrom('[', ']', '!', '^', '-', '\\', 'a', 'b', '*', '?')), (parts) => {
        globOf(parts.join('')).test('ab');
      }),
    );
  });
});
