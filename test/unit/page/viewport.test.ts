import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { marks, moved, type Viewport, within, zoomed } from '../../../src/page/timeline/viewport.ts';

const spanNs = 1e9;
const view: Viewport = { from: 4e8, to: 6e8 };

describe('the viewport of the timeline', () => {
  it('stays within the timeline, whatever is done', () => {
    const step = fc.oneof(
      fc.record({
        factor: fc.double({ min: 0.01, max: 100, noNaN: true }),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.record({ part: fc.double({ min: -3, max: 3, noNaN: true }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        let now = view;
        for (const each of steps)
          now =
            'part' in each
              ? moved(now, each.part, spanNs)
              : zoomed(now, each.factor, now.from + each.at * (now.to - now.from), spanNs);
        assert.ok(now.from >= 0 && now.to <= spanNs + 1, JSON.stringify(now));
        assert.ok(now.to - now.from >= 99, JSON.stringify(now));
      }),
    );
  });

  it('keeps the time under the pointer where it is', () => {
    const at = 4.5e8;
    const near = zoomed(view, 0.5, at, spanNs);
    assert.equal(near.to - near.from, 1e8);
    assert.equal((at - near.from) / (near.to - near.from), (at - view.from) / (view.to - view.from));
  });

  it('is not shorter than the shortest time, nor longer than the timeline', () => {
    assert.deepEqual(within(5, 6, spanNs), { from: 5, to: 105 });
    assert.deepEqual(within(-5, 2e9, spanNs), { from: 0, to: spanNs });
    assert.deepEqual(within(0, 0, 0), { from: 0, to: 100 });
  });

  it('has marks at round times', () => {
    assert.deepEqual(marks({ from: 0.9e6, to: 4.1e6 }, 0.7e6), [1e6, 2e6, 3e6, 4e6]);
  });
});
