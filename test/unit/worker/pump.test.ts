import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { errno } from '../../../src/native/error.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../../src/native/wait/poll.ts';
import { anothersTurn } from '../../../src/worker/shared-outlet.ts';
import type { Pump } from '../../../src/worker/pump.ts';
import { pageBytes, type PortDeed, setup, Simulation } from './simulated.ts';
import { thorough } from '../../set.ts';

const full: PortDeed = { fails: errno.EAGAIN };
const othersTurn: PortDeed = { says: anothersTurn };
/** More pages than any ring in these tests. */
const allPages = 1_000_000;

let simulation: Simulation;
beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.close());

describe('data that a pump moves', () => {
  it('arrives whole, once and in order, for any behaviour of port, ring and orders', async () => {
    const deed = fc.oneof(
      fc.integer({ min: 1, max: 5 * pageBytes }),
      fc.constantFrom<PortDeed>(
        full,
        othersTurn,
        { fails: errno.EINTR },
        { fails: errno.ENOMEM },
        { says: 0 },
      ),
    );
    const happening = fc.record({
      afterMs: fc.integer({ min: 0, max: 300 }),
      what: fc.oneof(
        fc.constantFrom('start' as const, 'stop' as const, 'poll-lies' as const),
        fc.record({ whole: fc.nat(300), partial: fc.boolean() }),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(deed, { maxLength: 200 }),
        fc.array(happening, { maxLength: 30 }),
        fc.constantFrom(0, 50),
        async (port, happenings, flushIntervalMs) => {
          const simulation = new Simulation();
          simulation.port = [...port];
          await simulation.run(
            (pump) => {
              let atMs = 0;
              let stops = 0;
              for (const { afterMs, what } of happenings) {
                atMs += afterMs;
                simulation.at(atMs, () => {
                  if (what === 'start') pump.start();
                  else if (what === 'stop') pump.stop((stops += 1), allPages);
                  else if (what === 'poll-lies') simulation.pollRing ^= POLLIN;
                  else simulation.add(what.whole, what.partial);
                });
              }
              simulation.at(atMs + 60_000, () => pump.stop(-1, allPages));
              simulation.at(atMs + 90_000, () => pump.leave());
            },
            { flushIntervalMs },
          );
          assert.ok(simulation.said.includes('stopped -1 true 0'));
          simulation.assertDelivered();
          simulation.close();
        },
      ),
      { numRuns: thorough(200) },
    );
  });

  it('stays in the ring until the order to run', async () => {
    simulation.add(5);
    await simulation.run((pump) => simulation.at(5000, () => pump.leave()));
    assert.equal(simulation.ring.length, 5);
    assert.ok(simulation.waits <= 2);
  });

  it('is limited to 128 pages at once, and to the room in the pipe', async () => {
    for (const [pipePages, most] of [
      [256, 128],
      [16, 16],
    ] as const) {
      const simulation = new Simulation();
      simulation.add(500);
      await simulation.run(
        (pump) => {
          pump.start();
          simulation.at(100, () => pump.leave());
        },
        { pipePages },
      );
      assert.equal(simulation.received[0]?.byteLength, most * pageBytes);
      simulation.assertDelivered();
      simulation.close();
    }
  });
});

describe('a fill that takes all whole pages', () => {
  const ringOf = async (pages: number, playOn: (pump: Pump) => void = () => undefined): Promise<void> => {
    simulation.add(pages);
    await simulation.run((pump) => {
      pump.start();
      playOn(pump);
      simulation.at(500, () => pump.leave());
    });
  };

  it('is not followed by a useless one', async () => {
    await ringOf(5);
    assert.equal(simulation.calls, 2, 'one fill and one push');
  });

  it('is recognised by a short result: a full pipe may have left some', async () => {
    await ringOf(setup.pipePages + 1);
    assert.equal(simulation.received.length, 2);
  });

  it('takes at most what a port takes at once, but for a file all that the pipe holds', async () => {
    for (const [outlet, received] of [
      ['splice', 2],
      ['file', 1],
    ] as const) {
      const of = new Simulation();
      try {
        if (outlet === 'file') of.fillPagesMost = 256;
        of.add(200);
        const play = (pump: Pump): void => {
          pump.start();
          of.at(500, () => pump.leave());
        };
        await of.run(play, { outlet, pipePages: 256 });
        assert.equal(of.received.length, received, outlet);
        of.assertDelivered();
      } finally {
        of.close();
      }
    }
  });

  it('is forgotten at a start: pages that arrived meanwhile are not delayed by the watermark', async () => {
    simulation.port = [full];
    await ringOf(5, (pump) => {
      simulation.at(100, () => pump.stop(1, allPages));
      simulation.at(200, () => {
        simulation.add(5);
        pump.start();
      });
    });
    simulation.assertDelivered();
  });
});

describe('a stop', () => {
  it('also sends the page being written', async () => {
    simulation.add(3, true);
    await simulation.run((pump) => {
      pump.stop(4, allPages);
      simulation.at(1, () => pump.leave());
    });
    assert.deepEqual(simulation.said, ['stopped 4 true 0']);
    simulation.assertDelivered();
  });

  for (const budget of [1, 127, 128, 1000]) {
    it(`ends after ${budget} pages of a ring that never empties`, async () => {
      simulation.endless = true;
      await simulation.run((pump) => {
        pump.stop(1, budget);
        simulation.at(10_000, () => pump.leave());
      });
      assert.deepEqual(simulation.said, ['stopped 1 true 0']);
      assert.equal(simulation.ledger.bytesOut, budget * pageBytes);
    });
  }

  it('with nothing to send is answered at once', async () => {
    await simulation.run((pump) => {
      pump.stop(1, allPages);
      simulation.at(1, () => pump.leave());
    });
    assert.deepEqual(simulation.said, ['stopped 1 true 0']);
    assert.equal(simulation.calls, 2);
  });

  for (const [callMs, what] of [
    [0.05, 'quick'],
    [4, 'slow'],
  ] as const) {
    it(`takes effect within four splices with a ring that is always full: ${what} ones`, async () => {
      simulation.endless = true;
      simulation.callMs = callMs;
      let orderedMs = 0;
      let dueCalls = 0;
      await simulation.run((pump) => {
        pump.start();
        simulation.at(100, () => {
          orderedMs = simulation.nowMs;
          dueCalls = simulation.calls;
          pump.leave();
        });
      });
      // It was due at 1,100 ms and waited for its turn; after it, only the pipe was emptied.
      assert.ok(orderedMs - 1100 <= 4 * callMs, `waited ${orderedMs - 1100} ms`);
      assert.ok(simulation.calls - dueCalls <= 1);
    });
  }

  for (const [what, stuck] of [
    ['a port that takes nothing', full],
    ['an outlet on which it is never its turn', othersTurn],
  ] as const) {
    it(`times out on ${what}, and keeps trying`, async () => {
      simulation.add(3);
      simulation.portForEver = stuck;
      let saidAtMs = 0;
      await simulation.run((pump) => {
        pump.start();
        // The port has been full for long already; the stop still has its full timeout.
        simulation.at(15_000, () => {
          assert.deepEqual(simulation.said, []);
          pump.stop(1, allPages);
        });
        for (let ms = 15_000; ms < 28_000; ms += 100)
          simulation.at(ms, () => {
            if (simulation.said.length === 0) saidAtMs = simulation.nowMs - 1000;
          });
        simulation.at(28_000, () => {
          simulation.portForEver = Number.POSITIVE_INFINITY;
        });
        simulation.at(30_000, () => pump.leave());
      });
      assert.deepEqual(simulation.said, [`stopped 1 false ${3 * pageBytes}`]);
      assert.ok(saidAtMs >= 24_800 && saidAtMs <= 25_500, `after ${saidAtMs} ms`);
      simulation.assertDelivered();
    });

    it(`a leave times out on ${what}; the pages stay in the pipe`, async () => {
      simulation.add(3);
      simulation.portForEver = stuck;
      await simulation.run((pump) => {
        pump.start();
        simulation.at(1000, () => pump.leave());
      });
      assert.ok(simulation.nowMs >= 12_000 && simulation.nowMs <= 13_000, `after ${simulation.nowMs} ms`);
      assert.equal(simulation.pipe.byteLength, 3 * pageBytes);
      simulation.assertAccount();
    });
  }

  it('does not time out on a slow port that still accepts data', async () => {
    simulation.add(100);
    simulation.portForEver = full;
    await simulation.run((pump) => {
      pump.stop(1, allPages);
      for (let page = 0; page < 100; page += 1)
        simulation.at(page * 9000, () => {
          simulation.port.push(pageBytes);
        });
      simulation.at(1_000_000, () => pump.leave());
    });
    assert.deepEqual(simulation.said, ['stopped 1 true 0']);
  });

  it('that a start overtakes is not answered', async () => {
    simulation.add(3);
    simulation.portForEver = full;
    await simulation.run((pump) => {
      pump.stop(1, allPages);
      simulation.at(100, () => pump.start());
      simulation.at(200, () => {
        simulation.portForEver = Number.POSITIVE_INFINITY;
      });
      simulation.at(20_000, () => pump.leave());
    });
    assert.deepEqual(simulation.said, []);
    simulation.assertDelivered();
  });
});

describe('faults', () => {
  it('pages that the port accepted and dropped are counted and reported, and the rest continues', async () => {
    simulation.add(130);
    simulation.port = [2 * pageBytes, 'drops'];
    await simulation.run((pump) => {
      pump.start();
      simulation.at(100, () => pump.leave());
    });
    assert.deepEqual(simulation.said, [`lost ${126 * pageBytes}`]);
    simulation.assertDelivered(2, 126);
  });

  it('a port that accepts nothing and drops nothing is not a loss', async () => {
    simulation.add(1);
    simulation.port = [{ says: 0 }, { says: 0 }];
    await simulation.run((pump) => {
      pump.start();
      simulation.at(5000, () => pump.leave());
    });
    assert.deepEqual(simulation.said, []);
    simulation.assertDelivered();
  });

  for (const code of ['ENODEV', 'EPIPE', 'ENOSPC', 'EIO'] as const) {
    it(`${code} ends the pump; the pipe keeps what it holds`, async () => {
      simulation.add(2);
      simulation.port = [pageBytes, { fails: errno[code] }];
      await simulation.run((pump) => pump.start());
      assert.deepEqual(simulation.said, [`gone port ${code}`]);
      assert.equal(simulation.pipe.byteLength, pageBytes);
      simulation.assertAccount();
    });
  }

  it('a ring whose position is inside a page ends the pump', async () => {
    simulation.ringFails = errno.EINVAL;
    await simulation.run((pump) => pump.start());
    assert.deepEqual(simulation.said, ['gone ring EINVAL']);
  });

  it('a state that only a bug can cause rejects', async () => {
    simulation.ringFails = errno.EBADF;
    await assert.rejects(
      simulation.run((pump) => pump.start()),
      /reading the ring: EBADF/,
    );
    simulation.ringFails = undefined;
    simulation.add(1);
    simulation.port = [{ fails: errno.EBADF }];
    await assert.rejects(
      simulation.run((pump) => pump.start()),
      /splice to the port: EBADF/,
    );
  });
});

/** Number of calls and waits in each of ten simulated seconds of a pump that was ordered to run. */
async function costPerSecond(simulation: Simulation): Promise<number[]> {
  const costs: number[] = [];
  await simulation.run((pump) => {
    pump.start();
    let before = 0;
    for (let second = 1; second <= 10; second += 1)
      simulation.at(second * 1000, () => {
        costs.push(simulation.calls + simulation.waits - before);
        before = simulation.calls + simulation.waits;
      });
    simulation.at(10_001, () => pump.leave());
  });
  return costs;
}

describe('an idle pump', () => {
  const cases: [string, number, (simulation: Simulation) => void][] = [
    ['an empty ring', 4, () => undefined],
    [
      'an empty ring that poll calls readable',
      45,
      (simulation) => {
        simulation.pollRing = POLLIN;
      },
    ],
    [
      'a CPU that was never online',
      45,
      (simulation) => {
        simulation.pollRing = POLLERR;
        simulation.ringFails = errno.ENODEV;
      },
    ],
    [
      'a port without a host end',
      25,
      (simulation) => {
        simulation.add(5);
        simulation.pollPort = POLLHUP;
        simulation.portForEver = full;
      },
    ],
    [
      'a full port that poll calls writable',
      25,
      (simulation) => {
        simulation.add(5);
        simulation.pollPort = POLLOUT;
        simulation.portForEver = full;
      },
    ],
  ];
  for (const [what, most, prepare] of cases) {
    it(`costs almost no CPU time: ${what}`, async () => {
      prepare(simulation);
      const costs = await costPerSecond(simulation);
      assert.equal(costs.length, 10);
      assert.ok(
        costs.every((cost) => cost <= most),
        `calls and waits a second: ${costs.join(' ')}`,
      );
    });
  }
});

describe('a disconnected host end', () => {
  it('is reported once, and its return once, however often poll reports it', async () => {
    simulation.add(5);
    simulation.pollPort = POLLHUP;
    simulation.portForEver = full;
    await simulation.run((pump) => {
      pump.start();
      simulation.at(5000, () => {
        simulation.pollPort = 0;
        simulation.portForEver = Number.POSITIVE_INFINITY;
      });
      simulation.at(6000, () => simulation.add(5));
      simulation.at(9000, () => pump.leave());
    });
    assert.deepEqual(simulation.said, ['host false', 'host true']);
    simulation.assertDelivered();
  });
});

describe('a partial page while running', () => {
  it('is only sent at a stop without a flush interval', async () => {
    simulation.add(0, true);
    await simulation.run((pump) => {
      pump.start();
      simulation.at(30_000, () => pump.leave());
    });
    assert.equal(simulation.received.length, 0);
  });

  it('is sent at the flush interval, and no more often', async () => {
    const sent: number[] = [];
    await simulation.run(
      (pump) => {
        pump.start();
        for (let ms = 7; ms < 10_000; ms += 10)
          simulation.at(ms, () => {
            simulation.add(0, true);
            sent.push(simulation.received.length);
          });
        simulation.at(10_000, () => pump.stop(1, allPages));
        simulation.at(10_100, () => pump.leave());
      },
      { flushIntervalMs: 500 },
    );
    simulation.assertDelivered();
    assert.ok(simulation.waits < 1100, `${simulation.waits} waits`);
    assert.ok(
      simulation.received.length >= 19 && simulation.received.length <= 50,
      `${simulation.received.length} pushes`,
    );
  });
});
