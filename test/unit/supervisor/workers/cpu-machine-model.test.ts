import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { CpuWorld, deeds, type Deed } from './cpu-world.ts';
import { thorough } from '../../../set.ts';

const runs = { numRuns: thorough(3000) };
/** Mostly events that lead somewhere: with pure chance a worker would seldom run. */
const anyDeed = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...deeds) },
  { weight: 3, arbitrary: fc.constantFrom<Deed>('fork', 'worker-ready', 'message', 'worker-works', 'timer') },
  { weight: 1, arbitrary: fc.constantFrom<Deed>('run', 'stop') },
);
const history = fc.array(anyDeed, { maxLength: 80 });

function lived(past: readonly Deed[]): CpuWorld {
  const world = new CpuWorld();
  world.do('open');
  for (const deed of past) world.do(deed);
  return world;
}

/** Like `lived`, but the last worker was not given up: only then does the CPU recover once all faults are gone. */
function livedWithoutGivingUp(past: readonly Deed[]): CpuWorld {
  return lived(past.filter((deed) => deed !== 'worker-crashes-last'));
}

describe('one CPU, for any sequence of events', () => {
  it('answers each stop exactly once', () => {
    fc.assert(
      fc.property(history, (past) => {
        const world = lived(past);
        world.do('stop');
        world.settle();
        assert.equal(world.outcomes.size, world.stops);
      }),
      runs,
    );
  });

  it('runs in the end if that was the last order', () => {
    fc.assert(
      fc.property(history, (past) => {
        const world = livedWithoutGivingUp(past);
        if (world.leaving) {
          world.settle();
          world.do('open');
        }
        world.do('run');
        world.settle();
        assert.equal(world.cpu.state.kind, 'running');
        assert.equal(world.worker?.doing, 'run');
        assert.equal(world.stopPending, false);
      }),
      runs,
    );
  });

  it('is stopped in the end if that was the last order, with everything flushed', () => {
    fc.assert(
      fc.property(history, (past) => {
        const world = livedWithoutGivingUp(past);
        if (world.leaving) {
          world.settle();
          world.do('open');
        }
        world.do('run');
        world.settle();
        world.do('stop');
        world.settle();
        assert.equal(world.cpu.state.kind, 'ready');
        assert.equal(world.worker?.doing, 'nothing');
        assert.equal(world.outcomes.get(world.stops), 'flushed');
      }),
      runs,
    );
  });

  it('ends if that was the last order, with everything closed and no worker left', () => {
    fc.assert(
      fc.property(history, history, (past, during) => {
        const world = lived(past);
        world.do('leave');
        for (const deed of during) if (deed !== 'open') world.do(deed);
        world.settle();
        assert.equal(world.cpu.state.kind, 'ended');
        assert.ok(world.closed);
        assert.equal(world.worker, undefined);
        assert.equal(world.stopPending, false);
      }),
      runs,
    );
  });

  it('never reports idle or flushed while pages of a run are left', () => {
    fc.assert(
      fc.property(history, (past) => {
        const world = livedWithoutGivingUp(past);
        if (world.leaving) return;
        world.do('run');
        world.settle();
        world.do('worker-works');
        world.do('stop');
        world.do('worker-stops-unflushed');
        world.do('message');
        assert.equal(world.outcomes.get(world.stops), 'timed-out');
        world.do('stop');
        world.settle();
        assert.equal(world.outcomes.get(world.stops), 'flushed');
      }),
      { numRuns: thorough(500) },
    );
  });
});
