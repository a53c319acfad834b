import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Candidate, type Test } from '../../../../src/trace/filter/candidate.ts';
import { type ChoiceRules, EventChoice } from '../../../../src/trace/filter/event-choice.ts';

const event = (pid: number): Candidate => ({
  cpu: 0,
  pid,
  cursor: {
    page: new Uint8Array(0),
    view: new DataView(new ArrayBuffer(0)),
    dataOffset: 0,
    dataBytes: 0,
  },
  timestamp: 0n,
});
const none: ChoiceRules = { ids: undefined, pids: undefined, where: [], exclude: [], stackIds: new Set([9]) };
const tests = (...entries: (readonly [number, Test])[]): ReadonlyMap<number, Test> => new Map(entries);

describe('EventChoice', () => {
  it('passes what one filter lets pass and no excluding filter does', () => {
    const isOdd: Test = ({ pid }) => pid % 2 === 1;
    const isOne: Test = ({ pid }) => pid === 1;
    const choice = new EventChoice({
      ...none,
      where: [tests([1, isOdd]), tests([1, ({ pid }) => pid === 2], [2, () => true])],
      exclude: [tests([1, isOne], [3, () => true])],
    });
    const passing = (id: number): number[] =>
      [0, 1, 2, 3].filter((pid) => choice.passes(event(pid), id, false));
    assert.deepEqual([passing(1), passing(2), passing(3), passing(4)], [[2, 3], [0, 1, 2, 3], [], []]);
  });

  it('passes all but the excluded if nothing else is asked for', () => {
    const choice = new EventChoice({ ...none, exclude: [tests([1, ({ pid }) => pid === 1])] });
    assert.ok(!choice.passes(event(1), 1, false));
    assert.ok(choice.passes(event(2), 1, false));
    assert.ok(choice.passes(event(1), 5, false));
  });

  it('takes only the types and the threads that are asked for', () => {
    const choice = new EventChoice({ ...none, ids: new Set([1]), pids: new Set([7]) });
    assert.ok(choice.passes(event(7), 1, false));
    assert.ok(!choice.passes(event(8), 1, false));
    assert.ok(!choice.passes(event(7), 2, true));
  });

  it('lets a stack trace follow its event, if no filter is about stack traces', () => {
    const where = [tests([1, () => true])];
    const choice = new EventChoice({ ...none, where });
    assert.ok(choice.passes(event(1), 9, true));
    assert.ok(!choice.passes(event(1), 9, false));
    const named = new EventChoice({ ...none, where: [tests([9, ({ pid }) => pid === 1])] });
    assert.ok(named.passes(event(1), 9, false));
    assert.ok(!named.passes(event(2), 9, true));
    const excluded = new EventChoice({ ...none, where, exclude: [tests([9, () => true])] });
    assert.ok(!excluded.passes(event(1), 9, true));
  });
});
