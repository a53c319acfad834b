import type { Ledger } from '../../../src/protocol/ledger.ts';
import type { PumpIo } from '../../../src/worker/pump-io.ts';

export class Killed extends Error {}

/**
 * A worker's life in steps: each system call and each store into the ledger is one step, and the worker dies after
 * a given one.
 */
export class Life {
  steps = 0;
  readonly #last: number;

  constructor(last: number) {
    this.#last = last;
  }

  lived<T>(done: T): T {
    this.steps += 1;
    if (this.steps === this.#last) throw new Killed();
    return done;
  }

  io(io: PumpIo): PumpIo {
    return {
      ...io,
      outlet: { push: (bytes) => this.lived(io.outlet.push(bytes)) },
      fill: (bytes) => this.lived(io.fill(bytes)),
      readPage: () => this.lived(io.readPage()),
      writePage: () => this.lived(io.writePage()),
      held: () => this.lived(io.held()),
    };
  }

  ledger(ledger: Ledger): Ledger {
    return new Proxy(ledger, {
      get: (target, field) => Reflect.get(target, field, target),
      set: (target, field, value) => this.lived(Reflect.set(target, field, value, target)),
    });
  }
}
