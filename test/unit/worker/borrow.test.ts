import assert from 'node:assert/strict';
import { closeSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeSocketPair, sendDescriptors } from '../../../src/native/ipc/lending.ts';
import { type Lent, lentAsList, lentFromList } from '../../../src/protocol/ipc.ts';
import { borrow } from '../../../src/worker/borrow.ts';

const assignment = { cpu: 3, pageBytes: 4096, pipePages: 128 };

function openCount(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('the descriptors that a worker receives', () => {
  it('are named by their place in the list, with a turn file for a shared outlet only', () => {
    const own: Lent = { ring: 10, pipeRead: 11, pipeWrite: 12, port: 13, ledger: 14, turn: undefined };
    const shared: Lent = { ...own, turn: 15 };
    assert.deepEqual(lentAsList(own), [10, 11, 12, 13, 14]);
    for (const outlet of ['splice', 'file'] as const) {
      assert.deepEqual(lentFromList(lentAsList(own), outlet), own);
      assert.equal(lentFromList(lentAsList(shared), outlet), undefined);
    }
    for (const outlet of ['shared', 'copied'] as const) {
      assert.deepEqual(lentFromList(lentAsList(shared), outlet), shared);
      assert.equal(lentFromList(lentAsList(own), outlet), undefined);
    }
    assert.equal(lentFromList([1, 2, 3, 4], 'splice'), undefined);
    assert.equal(lentFromList([1, 2, 3, 4, 5, 6, 7], 'shared'), undefined);
    assert.equal(lentFromList([], 'splice'), undefined);
  });

  it('arrive with the assignment, and the socket is closed afterwards', () => {
    const before = openCount();
    const { ours, theirs } = makeSocketPair();
    sendDescriptors(ours, JSON.stringify(assignment), [0, 0, 0, 0, 0]);
    closeSync(ours);
    const borrowed = borrow('splice', theirs);
    assert.deepEqual(borrowed?.assignment, assignment);
    assert.equal(new Set(lentAsList(borrowed.lent)).size, 5);
    for (const fd of lentAsList(borrowed.lent)) closeSync(fd);
    assert.equal(openCount(), before);
  });

  it('are none when the supervisor ends without sending any', () => {
    const { ours, theirs } = makeSocketPair();
    closeSync(ours);
    assert.equal(borrow('splice', theirs), undefined);
  });

  it('in a wrong number are an error with that number', () => {
    const { ours, theirs } = makeSocketPair();
    sendDescriptors(ours, JSON.stringify(assignment), [0, 0, 0, 0]);
    closeSync(ours);
    assert.throws(() => borrow('shared', theirs), /4 descriptors for an outlet shared/);
  });
});
