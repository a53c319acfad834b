import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { formatEventSpec, nearNames, parseEventSpec } from '../../../src/tracefs/event-spec.ts';

describe('event names', () => {
  it('are a system, or an event in either spelling', () => {
    assert.deepEqual(parseEventSpec('sched'), { system: 'sched', event: undefined });
    assert.deepEqual(parseEventSpec('irq:irq_handler_entry'), { system: 'irq', event: 'irq_handler_entry' });
    assert.deepEqual(parseEventSpec('sched/sched_switch'), { system: 'sched', event: 'sched_switch' });
  });

  it('are nothing else', () => {
    const bad = [
      '',
      ':',
      'sched:',
      ':x',
      'a:b:c',
      'a/b/c',
      '..',
      '../x',
      'a/..',
      'a:.',
      'sched:*',
      ' sched',
      'sched\n',
      'a\0',
    ];
    for (const text of [...bad, 'x'.repeat(201)])
      assert.equal(parseEventSpec(text), undefined, JSON.stringify(text));
  });

  it('never leave the events directory, whatever is sent', () => {
    const hostile = fc
      .array(fc.constantFrom('.', '..', '/', ':', '\0', 'sched', '\n', '*', '\\'))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.string()), (text) => {
        const spec = parseEventSpec(text);
        if (!spec) return true;
        const names = spec.event === undefined ? [spec.system] : [spec.system, spec.event];
        return (
          names.every((name) => /^\w[^/\0\n]*$/.test(name)) &&
          parseEventSpec(formatEventSpec(spec)) !== undefined
        );
      }),
    );
  });
});

describe('near names', () => {
  const known = [
    'irq',
    'irq:irq_handler_entry',
    'sched',
    'sched:sched_switch',
    'sched:sched_wakeup',
    'timer:timer_start',
  ];

  it('find a slip of the hand, a missing system and a wrong one', () => {
    assert.deepEqual(nearNames('sched:sched_swich', known), ['sched:sched_switch']);
    assert.equal(nearNames('sched_switch', known)[0], 'sched:sched_switch');
    assert.equal(nearNames('timer/sched_wakeup', known)[0], 'sched:sched_wakeup');
    assert.deepEqual(nearNames('iqr', known), ['irq']);
  });

  it('offer nothing for what is like none, and three at most', () => {
    assert.deepEqual(nearNames('block:block_rq_issue', known), []);
    assert.equal(nearNames('a', ['b', 'c', 'd', 'e']).length, 3);
  });
});
