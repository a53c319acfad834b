import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stopping } from '../../../../src/host/record/session/entry.ts';
import { startInOrder, stopInOrder } from '../../../../src/host/record/session/in-order.ts';

/** A step that a test ends, and the order in which steps began and ended. */
class Steps {
  readonly log: string[] = [];
  readonly #open = new Map<string, { resolve: () => void; reject: (why: Error) => void }>();

  run(name: string): Promise<void> {
    this.log.push(name);
    return new Promise((resolve, reject) => this.#open.set(name, { resolve, reject }));
  }

  async end(name: string, why?: Error): Promise<void> {
    const step = this.#open.get(name);
    assert.ok(step, `${name} has begun: ${this.log.join()}`);
    this.#open.delete(name);
    this.log.push(`/${name}`);
    if (why === undefined) step.resolve();
    else step.reject(why);
    await new Promise(setImmediate);
  }
}

describe('the start of a recording', () => {
  const guestOf = (steps: Steps, name: string) => ({
    start: () => steps.run(`start ${name}`),
    readClock: async () => void steps.log.push(`ping ${name}`),
  });

  it('begins with the host; guests start together, their clocks are read before and after', async () => {
    const steps = new Steps();
    const guests = [guestOf(steps, 'web'), guestOf(steps, 'db')];
    const started = startInOrder(() => steps.run('start host'), guests);
    assert.deepEqual(steps.log, ['start host']);
    await steps.end('start host');
    await steps.end('start db');
    await steps.end('start web');
    await started;
    assert.deepEqual(steps.log, [
      'start host',
      '/start host',
      'ping web',
      'ping db',
      'start web',
      'start db',
      '/start db',
      'ping db',
      '/start web',
      'ping web',
    ]);
  });

  it('starts no guest if the host cannot be started', async () => {
    const steps = new Steps();
    const started = startInOrder(() => steps.run('start host'), [guestOf(steps, 'web')]);
    const refused = assert.rejects(started, /no tracefs/);
    await steps.end('start host', new Error('no tracefs'));
    await refused;
    assert.deepEqual(steps.log, ['start host', '/start host']);
  });

  it('fails with a guest, when the others have settled', async () => {
    const steps = new Steps();
    let isOver = false;
    const started = startInOrder(undefined, [guestOf(steps, 'web'), guestOf(steps, 'db')]);
    const refused = assert.rejects(started, /refused/).then(() => (isOver = true));
    await new Promise(setImmediate);
    await steps.end('start web', new Error('refused'));
    assert.equal(isOver, false);
    await steps.end('start db');
    await refused;
  });
});

describe('the stop of a recording', () => {
  const stopOf = (steps: Steps, name: string): Stopping => {
    const quiet = steps.run(`stop ${name}`);
    return { quiet, done: quiet.then(() => steps.run(`fetch ${name}`)) };
  };

  it('stops the host as soon as no guest traces any more', async () => {
    const steps = new Steps();
    const guests = [stopOf(steps, 'web'), stopOf(steps, 'db')];
    const stopped = stopInOrder(guests, () => stopOf(steps, 'host'));
    await steps.end('stop web');
    assert.ok(!steps.log.includes('stop host'), steps.log.join());
    await steps.end('stop db');
    assert.ok(steps.log.includes('stop host'), steps.log.join());
    for (const step of ['stop host', 'fetch host', 'fetch web', 'fetch db']) await steps.end(step);
    await stopped;
  });

  it('waits for a guest that does not stop, but the host does so only for a while', async () => {
    const steps = new Steps();
    let isOver = false;
    const guests = [stopOf(steps, 'web')];
    const hostStops = new Promise<void>((resolve) => {
      void stopInOrder(
        guests,
        () => {
          resolve();
          return stopOf(steps, 'host');
        },
        0,
      ).then(() => (isOver = true));
    });
    await hostStops;
    await new Promise(setImmediate);
    await steps.end('stop host');
    await steps.end('fetch host');
    assert.equal(isOver, false);
    await steps.end('stop web');
    await steps.end('fetch web');
    assert.equal(isOver, true);
  });

  it('of guests without their host ends when all have stopped', async () => {
    const steps = new Steps();
    const stopped = stopInOrder([stopOf(steps, 'web')], undefined);
    await steps.end('stop web');
    await steps.end('fetch web');
    await stopped;
    assert.deepEqual(steps.log, ['stop web', '/stop web', 'fetch web', '/fetch web']);
  });
});
