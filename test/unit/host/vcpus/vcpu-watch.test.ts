import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { merge } from '../../../../src/host/vcpus/vcpu-watch.ts';

describe('virtual CPUs over time', () => {
  const first = merge([], new Map([[0, 10], [1, 11]]), '5'); // biome-ignore format: short

  it('are the same while nothing changes', () => {
    assert.deepEqual(first, [
      { vcpu: 0, tid: 10, from: '5', until: null },
      { vcpu: 1, tid: 11, from: '5', until: null },
    ]);
    assert.equal(merge(first, new Map([[1, 11], [0, 10]]), '6'), first); // biome-ignore format: short
  });

  it('come and go, and come back as another thread', () => {
    const removed = merge(first, new Map([[0, 10]]), '7');
    assert.deepEqual(removed.slice(1), [{ vcpu: 1, tid: 11, from: '5', until: '7' }]);
    // the kernel may use the number again
    const back = merge(removed, new Map([[0, 10], [1, 11]]), '8'); // biome-ignore format: short
    assert.deepEqual(back, [...removed, { vcpu: 1, tid: 11, from: '8', until: null }]);
    const other = merge(back, new Map([[0, 10], [1, 12]]), '9'); // biome-ignore format: short
    assert.deepEqual(other.slice(2), [
      { vcpu: 1, tid: 11, from: '8', until: '9' },
      { vcpu: 1, tid: 12, from: '9', until: null },
    ]);
  });
});
