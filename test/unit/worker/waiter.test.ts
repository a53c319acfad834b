import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { beforeEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Eventfd } from '../../../src/native/wait/eventfd.ts';
import { POLLIN } from '../../../src/native/wait/poll.ts';
import { Waiter } from '../../../src/worker/waiter.ts';

/** Longer than any wait in these tests: a wait of this length was not woken. */
const neverMs = 20_000;

// A top-level hook gives this file its own process: work that another file left in the event loop would be due here.
beforeEach(() => nextTurn());

describe('a wait', () => {
  it('first gives the event loop its turn', async () => {
    const signalled = new Eventfd();
    signalled.signal();
    const waiter = new Waiter();
    assert.ok(waiter.loopIsDue);
    assert.equal(waiter.ready(signalled.fd, POLLIN, neverMs), 0);
    await waiter.turnLoop();
    assert.ok(!waiter.loopIsDue);
    assert.equal(waiter.ready(signalled.fd, POLLIN, neverMs), POLLIN);
  });

  it('that finds nothing in time reports it', async () => {
    const waiter = new Waiter(neverMs);
    await waiter.turnLoop();
    assert.equal(waiter.ready(new Eventfd().fd, POLLIN, 10), 0);
    assert.ok(!waiter.loopIsDue);
  });

  it('ends when the event loop has work', async () => {
    const waiter = new Waiter(neverMs);
    await waiter.turnLoop();
    const asked = stat('/');
    assert.equal(waiter.ready(new Eventfd().fd, POLLIN, neverMs), 0);
    assert.ok(waiter.loopIsDue, 'it was told');
    await asked;
  });

  it('is not needed to detect that the event loop has work', async () => {
    const waiter = new Waiter(neverMs);
    await waiter.turnLoop();
    waiter.look();
    assert.ok(!waiter.loopIsDue);
    const asked = stat('/');
    while (!waiter.loopIsDue) waiter.look();
    await asked;
  });

  it("ends when the event loop's timers are due", async () => {
    const waiter = new Waiter(20);
    for (let turn = 0; turn < 3; turn += 1) {
      await waiter.turnLoop();
      assert.equal(waiter.ready(new Eventfd().fd, POLLIN, neverMs), 0);
      assert.ok(waiter.loopIsDue, 'it was told');
    }
  });

  it('does not begin when the event loop was requested', async () => {
    const waiter = new Waiter(neverMs);
    await waiter.turnLoop();
    waiter.askForLoop();
    assert.equal(waiter.ready(new Eventfd().fd, POLLIN, neverMs), 0);
    assert.ok(waiter.loopIsDue);
  });
});

describe('a sleep', () => {
  it('without a limit is ended by a wake', async () => {
    const waiter = new Waiter();
    setTimeout(() => waiter.wake(), 1);
    await waiter.sleep(undefined);
  });

  it('ends by itself', async () => {
    await new Waiter().sleep(1);
  });
});
