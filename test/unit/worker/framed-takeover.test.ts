import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { errno } from '../../../src/native/error.ts';
import { FrameHeaders } from '../../../src/worker/frame-headers.ts';
import { lastingCopier } from '../../../src/worker/lasting-copier.ts';
import { type OutletCalls, SharedOutlet } from '../../../src/worker/shared-outlet.ts';
import { thorough } from '../../set.ts';
import { head, readStream, sync } from '../trace/framed/stream.ts';
import { Killed, Life } from './life.ts';
import { pageBytes, Simulation } from './simulated.ts';

/** A stdout to which two CPUs write; the kernel releases the turn of a dead worker. */
class Stream {
  readonly cpus = [new Simulation(), new Simulation()] as const;
  readonly #pieces: Uint8Array[] = [head(pageBytes)];
  #turn: number | undefined;
  /** Maximum bytes of a header that the stream accepts at once. */
  headerTakes = 32;
  /** Whether stdout is a file opened with O_APPEND, to which pages are copied. */
  copied = false;

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** One worker's life from its start to its exit. @returns whether it lived that long */
  async work(cpu: 0 | 1, last = Number.POSITIVE_INFINITY): Promise<boolean> {
    const simulation = this.cpus[cpu];
    const life = new Life(last);
    const ledger = life.ledger(simulation.ledger);
    const calls: OutletCalls = {
      tryLock: () => {
        const free = this.#turn === undefined || this.#turn === cpu;
        if (free) this.#turn = cpu;
        return life.lived(free);
      },
      unlock: () => {
        this.#turn = undefined;
        life.lived(true);
      },
      transfer: this.copied ? this.#copier(simulation, life) : this.#mover(simulation, life),
    };
    const headers = new FrameHeaders(sync, cpu, ledger, (bytes) => {
      const taken = bytes.slice(0, this.headerTakes);
      this.#pieces.push(taken);
      return life.lived(taken.byteLength);
    });
    const io = life.io({ ...simulation.io, outlet: new SharedOutlet(calls, pageBytes, headers) });
    try {
      await simulation.run(
        (pump) => {
          pump.start();
          simulation.at(5, () => pump.stop(1, 1000));
          simulation.at(9000, () => pump.leave());
        },
        { pipePages: 3, flushIntervalMs: 1 },
        io,
        ledger,
      );
      return true;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.#turn = undefined;
      return false;
    }
  }

  #mover(simulation: Simulation, life: Life): (bytes: number) => number {
    return (bytes) => {
      const moved = simulation.io.outlet.push(bytes);
      if (moved > 0) this.#pieces.push(simulation.received.at(-1) ?? assert.fail());
      return life.lived(moved);
    };
  }

  #copier(simulation: Simulation, life: Life): () => number {
    return lastingCopier(pageBytes, {
      peek: (buffer) => {
        buffer.set(simulation.pipe.subarray(0, buffer.byteLength));
        return life.lived(Math.min(buffer.byteLength, simulation.pipe.byteLength));
      },
      write: (bytes) => {
        const taken = bytes.slice(0, 50);
        this.#pieces.push(taken);
        return life.lived(taken.byteLength);
      },
      take: (buffer) => {
        const taken = simulation.pipe.slice(0, buffer.byteLength);
        simulation.received.push(taken);
        simulation.pipe = simulation.pipe.slice(taken.byteLength);
        return life.lived(taken.byteLength);
      },
    });
  }

  /** Asserts that the reader finds every page of both CPUs, whole, once and in order. */
  async assertDelivered(): Promise<void> {
    const { trace, pages } = await readStream(this.bytes);
    assert.equal(trace.strayBytes, 0);
    for (const cpu of [0, 1] as const) {
      const simulation = this.cpus[cpu];
      simulation.assertDelivered();
      assert.ok(
        (pages.get(cpu) ?? Buffer.alloc(0)).equals(Buffer.concat(simulation.received)),
        `CPU ${cpu}: ${pages.get(cpu)?.byteLength} bytes in whole pages, of ${simulation.pages} pages`,
      );
    }
  }

  close(): void {
    for (const simulation of this.cpus) simulation.close();
  }
}

function load(): Stream {
  const stream = new Stream();
  for (const simulation of stream.cpus) {
    simulation.port = [40, { fails: errno.EAGAIN }, 100, pageBytes, 7, { fails: errno.EAGAIN }, 3];
    simulation.add(4, true);
  }
  return stream;
}

describe('workers that share a framed stream', () => {
  it('lose and tear nothing when one dies at any instruction, even if another continues before its successor', async () => {
    for (const [headerTakes, copied] of [
      [32, false],
      [7, false],
      [32, true],
    ] as const) {
      let last = 1;
      for (; ; last += 1) {
        const stream = load();
        stream.headerTakes = headerTakes;
        stream.copied = copied;
        const whole = await stream.work(0, last);
        await stream.work(1);
        await stream.work(0);
        await stream.assertDelivered();
        stream.close();
        if (whole) break;
      }
      assert.ok(last > 50, `a life of only ${last} steps`);
    }
  });

  it('may all be killed repeatedly', async () => {
    const deaths = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 1, max: 60 })), {
      maxLength: 12,
    });
    const takes = fc.integer({ min: 1, max: 32 });
    await fc.assert(
      fc.asyncProperty(deaths, takes, fc.boolean(), async (lives, headerTakes, copied) => {
        const stream = load();
        stream.copied = copied;
        stream.headerTakes = headerTakes;
        for (const [cpu, last] of lives) await stream.work(cpu, last);
        await stream.work(0);
        await stream.work(1);
        await stream.assertDelivered();
        stream.close();
      }),
      { numRuns: thorough(1000) },
    );
  });

  it('release the turn while no byte of the header is accepted, and keep it from then on', () => {
    const simulation = new Simulation();
    simulation.pipe = new Uint8Array(pageBytes);
    let locked = false;
    const script = [-errno.EAGAIN, 10, -errno.EAGAIN, 22];
    const calls: OutletCalls = {
      tryLock: () => (locked = true),
      unlock: () => (locked = false),
      transfer: () => pageBytes,
    };
    const headers = new FrameHeaders(sync, 0, simulation.ledger, () => script.shift() ?? assert.fail());
    const outlet = new SharedOutlet(calls, pageBytes, headers);
    assert.equal(outlet.push(pageBytes), -errno.EAGAIN);
    assert.equal(locked, false);
    assert.equal(outlet.push(pageBytes), -errno.EAGAIN);
    assert.equal(locked, true);
    assert.equal(outlet.push(pageBytes), pageBytes);
    assert.equal(locked, false);
    simulation.close();
  });
});
