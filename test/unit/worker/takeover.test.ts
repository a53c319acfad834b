import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { movePartialPage, takeOver } from '../../../src/worker/staging.ts';
import { errno } from '../../../src/native/error.ts';
import { Killed, Life } from './life.ts';
import { pageBytes, Simulation } from './simulated.ts';

/** Sends whole pages, then a partial one, over a port that accepts them in odd pieces; first runs and then stops. */
async function work(simulation: Simulation, life: Life): Promise<void> {
  await simulation.run(
    (pump) => {
      pump.start();
      simulation.at(5, () => pump.stop(1, 1000));
      simulation.at(9000, () => pump.leave());
    },
    { pipePages: 2, flushIntervalMs: 1 },
    life.io(simulation.io),
    life.ledger(simulation.ledger),
  );
}

function load(): Simulation {
  const simulation = new Simulation();
  simulation.port = [40, { fails: errno.EAGAIN }, 100, pageBytes, { says: 0 }, 7, { fails: errno.EAGAIN }, 3];
  simulation.add(3, true);
  return simulation;
}

/** A worker that dies after step `last`. @returns whether it lived that long */
async function dies(simulation: Simulation, last: number): Promise<boolean> {
  try {
    await work(simulation, new Life(last));
    return false;
  } catch (error) {
    if (error instanceof Killed) return true;
    throw error;
  }
}

describe('a worker that takes over from a killed one', () => {
  it('delivers each page once and keeps the ledger right, whichever instruction was the last', async () => {
    let last = 1;
    for (; ; last += 1) {
      const simulation = load();
      const killed = await dies(simulation, last);
      // Records being written when it dies continue in the next page.
      simulation.add(1, true);
      await work(simulation, new Life(Number.POSITIVE_INFINITY));
      assert.equal(simulation.pipe.byteLength, 0);
      simulation.assertDelivered();
      simulation.close();
      if (!killed) break;
    }
    assert.ok(last > 30, `a life of only ${last} steps`);
  });

  it('may be killed while taking over, repeatedly', async () => {
    for (let first = 1, over = false; !over; first += 1) {
      for (let second = 1; second <= 9; second += 1) {
        const simulation = load();
        over = !(await dies(simulation, first));
        await dies(simulation, second);
        await dies(simulation, second);
        await work(simulation, new Life(Number.POSITIVE_INFINITY));
        simulation.assertDelivered();
        simulation.close();
      }
    }
  });

  it('has a correct ledger once it has taken over', async () => {
    for (let last = 1; ; last += 1) {
      const simulation = load();
      const killed = await dies(simulation, last);
      assert.equal(takeOver(simulation.io, simulation.ledger), simulation.pipe.byteLength);
      simulation.assertAccount();
      assert.equal(simulation.ledger.staged, 0);
      simulation.close();
      if (!killed) return;
    }
  });
});

describe('a partial page', () => {
  it('leaves nothing staged if the ring has none', () => {
    const simulation = new Simulation();
    assert.equal(movePartialPage(simulation.io, simulation.ledger), -errno.EAGAIN);
    assert.equal(simulation.ledger.staged, 0);
    assert.equal(takeOver(simulation.io, simulation.ledger), 0);
    simulation.assertAccount();
    simulation.close();
  });

  it('stays staged for the successor if it does not fit into the empty pipe', () => {
    const simulation = new Simulation();
    simulation.add(0, true);
    const broken = { ...simulation.io, writePage: () => -errno.EAGAIN };
    assert.throws(() => movePartialPage(broken, simulation.ledger), /a page into the empty pipe: EAGAIN/);
    assert.equal(takeOver(simulation.io, simulation.ledger), pageBytes);
    simulation.assertAccount();
    simulation.close();
  });
});
