import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nearNames } from '../../../src/base/near-names.ts';

describe('near names', () => {
  const known = [
    'irq',
    'irq:irq_handler_entry',
    'sched',
    'sched:sched_switch',
    'sched:sched_wakeup',
    'timer:timer_start',
  ];

  it('find a typo, a missing system and a wrong one', () => {
    assert.deepEqual(nearNames('sched:sched_swich', known), ['sched:sched_switch']);
    assert.equal(nearNames('sched_switch', known)[0], 'sched:sched_switch');
    assert.equal(nearNames('timer/sched_wakeup', known)[0], 'sched:sched_wakeup');
    assert.deepEqual(nearNames('iqr', known), ['irq']);
  });

  it('compare only the beginning of a long name', () => {
    const long = `sched:${'x'.repeat(10_000)}`;
    assert.deepEqual(nearNames(long, [`sched:${'x'.repeat(194)}`]), [`sched:${'x'.repeat(194)}`]);
  });

  it('offer nothing for an unlike name, and at most three names', () => {
    assert.deepEqual(nearNames('block:block_rq_issue', known), []);
    assert.equal(nearNames('a', ['b', 'c', 'd', 'e']).length, 3);
  });
});
