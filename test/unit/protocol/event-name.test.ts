import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { formatEventSpec, parseEventSpec } from '../../../src/protocol/event-name.ts';

describe('event names', () => {
  it('are a system, or an event in either notation', () => {
    assert.deepEqual(parseEventSpec('sched'), { system: 'sched', event: undefined });
    assert.deepEqual(parseEventSpec('irq:irq_handler_entry'), { system: 'irq', event: 'irq_handler_entry' });
    assert.deepEqual(parseEventSpec('sched/sched_switch'), { system: 'sched', event: 'sched_switch' });
  });

  it('may contain every character that user_events allow, and none is a wildcard', () => {
    assert.deepEqual(parseEventSpec('user_events:a+b*[é]'), { system: 'user_events', event: 'a+b*[é]' });
    assert.equal(parseEventSpec(`user_events:${'x'.repeat(255)}`)?.event?.length, 255);
  });

  it('have no other form', () => {
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
      ' sched',
      'sched\n',
      'a\0',
    ];
    for (const text of [...bad, 'x'.repeat(256), 'é'.repeat(128), `x:${'x'.repeat(256)}`])
      assert.equal(parseEventSpec(text), undefined, JSON.stringify(text));
  });

  it('never lead out of the events directory, for any input', () => {
    const hostile = fc
      .array(fc.constantFrom('.', '..', '/', ':', '\0', 'sched', '\n', '*', '\\'))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.string()), (text) => {
        const spec = parseEventSpec(text);
        if (!spec) return true;
        const names = spec.event === undefined ? [spec.system] : [spec.system, spec.event];
        return (
          names.every((name) => /^[^/:\s\0]+$/.test(name) && name !== '.' && name !== '..') &&
          parseEventSpec(formatEventSpec(spec)) !== undefined
        );
      }),
    );
  });
});
