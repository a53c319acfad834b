import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Schedule } from '../../../../../src/host/record/rotation/schedule.ts';

describe('Schedule', () => {
  it('by size: counts from the beginning of each set', () => {
    const schedule = new Schedule({ bytes: 100 }, 0);
    assert.equal(schedule.isDue(1e9, 99), false);
    assert.equal(schedule.isDue(0, 100), true);
    schedule.begun(0, 130);
    assert.equal(schedule.isDue(1e9, 229), false);
    assert.equal(schedule.isDue(0, 230), true);
  });

  it('by time: a late set does not delay the ones after it, and times that have passed are left out', () => {
    const schedule = new Schedule({ everyMs: 100 }, 1000);
    assert.equal(schedule.isDue(1099, 1e12), false);
    assert.equal(schedule.isDue(1100, 0), true);
    schedule.begun(1130, 0);
    assert.equal(schedule.isDue(1199, 0), false);
    assert.equal(schedule.isDue(1200, 0), true);
    schedule.begun(1570, 0);
    assert.equal(schedule.isDue(1599, 0), false);
    assert.equal(schedule.isDue(1600, 0), true);
  });
});
