import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Backoff } from '../../../src/base/backoff.ts';

describe('Backoff', () => {
  it('doubles up to its limit and stays there', () => {
    const backoff = new Backoff(1, 100);
    const waits = Array.from({ length: 10 }, () => backoff.next());
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 100, 100, 100]);
  });

  it('starts over after a reset', () => {
    const backoff = new Backoff(10, 500);
    backoff.next();
    backoff.next();
    backoff.reset();
    assert.equal(backoff.active, false);
    assert.equal(backoff.next(), 10);
  });

  it('is active from `begin` on, and a second `begin` does not shorten the delay', () => {
    const backoff = new Backoff(10, 500);
    assert.equal(backoff.active, false);
    backoff.begin();
    assert.equal(backoff.active, true);
    backoff.next();
    backoff.begin();
    assert.equal(backoff.next(), 20);
  });
});
