import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveEvents } from '../../../../src/host/record/event-names.ts';
import { guestCatalogue } from '../fixtures.ts';

describe('resolveEvents', async () => {
  const catalogue = await guestCatalogue();

  const events = (...names: string[]): readonly string[] =>
    resolveEvents({ events: names }, catalogue).events ?? [];

  it('leaves systems and full names as they are', () => {
    assert.deepEqual(events('sched', 'irq:irq_handler_entry'), ['sched', 'irq:irq_handler_entry']);
  });

  it('finds the system of a bare event, and takes a slash for a colon', () => {
    assert.deepEqual(events('sched_switch', 'sched/sched_waking'), [
      'sched:sched_switch',
      'sched:sched_waking',
    ]);
  });

  it('takes patterns, of which nothing but * and ? is special', () => {
    assert.deepEqual(events('irq_handler_*').toSorted(), ['irq:irq_handler_entry', 'irq:irq_handler_exit']);
    assert.deepEqual(events('irq:softirq_e?it'), ['irq:softirq_exit']);
    assert.deepEqual(events('sched.switch'), ['sched.switch']);
  });

  it('leaves to the guest what it does not know, and never names an event of ftrace itself', () => {
    assert.deepEqual(events('nothing', 'prin?'), ['nothing', 'prin?']);
  });

  it('moves a filter with its event', () => {
    const { filters } = resolveEvents({ filters: { 'sched_switc?': 'prev_pid != 0' } }, catalogue);
    assert.deepEqual(filters, { 'sched:sched_switch': 'prev_pid != 0' });
  });
});
