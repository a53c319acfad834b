import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Columns } from '../../../src/analysis/timeline/columns.ts';
import { firstEndingAfter, slicesOf } from '../../../src/page/data/columns.ts';

function written(count: number): ArrayBuffer {
  const parts: Uint8Array[] = [];
  let size = 0;
  const columns = new Columns((chunk) => {
    parts.push(chunk);
    size += chunk.length;
    return size - chunk.length;
  });
  for (let at = 0; at < count; at++) columns.push(at * 10, at * 10 + 5, at % 7, at % 11, at % 6);
  columns.flush();
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.buffer;
}

describe('the columns of a timeline', () => {
  it('are read as they were written, in one chunk or several', () => {
    for (const count of [0, 1, 3, 128, 129, 4096, 10_000]) {
      const slices = slicesOf(written(count));
      assert.equal(slices.count, count);
      for (let at = 0; at < count; at += 13) {
        assert.equal(slices.start[at], at * 10);
        assert.equal(slices.dur[at], 5);
        assert.equal(slices.name[at], at % 7);
        assert.equal(slices.kind[at], at % 11);
        assert.equal(slices.busy[at], Math.ceil(((at % 6) / 5) * 255));
      }
    }
  });

  it('find the first slice that ends after a time', () => {
    const slices = slicesOf(written(100));
    assert.equal(firstEndingAfter(slices, 0), 0);
    assert.equal(firstEndingAfter(slices, 4), 0);
    assert.equal(firstEndingAfter(slices, 5), 1);
    assert.equal(firstEndingAfter(slices, 994), 99);
    assert.equal(firstEndingAfter(slices, 995), 100);
  });

  it('refuse data that is cut off', () => {
    assert.throws(() => slicesOf(written(50).slice(0, 400)), /cut off/);
  });
});
