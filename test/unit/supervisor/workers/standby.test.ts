import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import pLimit, { type LimitFunction } from 'p-limit';
import pino from 'pino';
import { type Spare, Standby } from '../../../../src/supervisor/workers/standby.ts';
import type { WorkerEnd, WorkerListener } from '../../../../src/supervisor/workers/worker-process.ts';

const killed: WorkerEnd = { kind: 'exited', clean: false, how: 'SIGKILL' };
const notForked: WorkerEnd = { kind: 'not-forked', code: 'EAGAIN' };
const nobody: WorkerListener = { heard: () => undefined, ended: () => undefined };

class FakeWorker implements Spare {
  readonly pid = 1;
  isKilled = false;
  #listener: WorkerListener;

  constructor(listener: WorkerListener) {
    this.#listener = listener;
  }

  set listener(listener: WorkerListener) {
    this.#listener = listener;
  }

  kill(): void {
    this.isKilled = true;
  }

  forsake(): void {}

  load(): void {
    this.#listener.heard({ kind: 'loaded' });
  }

  die(end = killed): void {
    this.#listener.ended(end);
  }
}

interface Made {
  readonly standby: Standby<FakeWorker>;
  readonly workers: FakeWorker[];
  readonly said: string[];
  /** Waits until the worker of that number has been forked. */
  readonly forked: (count: number) => Promise<FakeWorker>;
}

function make(test: TestContext, { maxRestarts = 10, forkLimit = pLimit(1) } = {}): Made {
  const workers: FakeWorker[] = [];
  const said: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void said.push(line) });
  const fork = (listener: WorkerListener): FakeWorker => {
    const worker = new FakeWorker(listener);
    workers.push(worker);
    return worker;
  };
  const standby = new Standby({ maxRestarts, forkLimit, fork, log });
  test.after(() => void standby.end());
  const forked = async (count: number): Promise<FakeWorker> => {
    for (;;) {
      const worker = workers[count - 1];
      if (worker !== undefined) return worker;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return { standby, workers, said, forked };
}

/** Whether a further fork gets its turn. */
async function isFree(limit: LimitFunction): Promise<boolean> {
  let had = false;
  void limit(() => {
    had = true;
  });
  await new Promise(setImmediate);
  return had;
}

async function aMoment(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}

describe('the standby', () => {
  it('is one, however often it is requested', async (test) => {
    const { standby, workers, forked } = make(test);
    assert.equal(standby.isThere, false);
    standby.prepare();
    standby.prepare();
    (await forked(1)).load();
    standby.prepare();
    await aMoment();
    assert.equal(workers.length, 1);
    assert.equal(standby.isThere, true);
  });

  it('waits for its turn to fork, and keeps the turn until it is loaded', async (test) => {
    const forkLimit = pLimit(1);
    let give = (): void => undefined;
    void forkLimit(() => new Promise<void>((resolve) => (give = resolve)));
    const { standby, workers, forked } = make(test, { forkLimit });
    assert.equal(standby.isNear, false);
    standby.prepare();
    await aMoment();
    assert.equal(workers.length, 0);
    assert.deepEqual([standby.isThere, standby.isNear], [false, true]);
    give();
    const worker = await forked(1);
    assert.deepEqual([standby.isThere, standby.isNear], [true, true]);
    assert.equal(await isFree(forkLimit), false);
    worker.load();
    assert.equal(await isFree(forkLimit), true);
  });

  it('is taken once, with the new listener for its events, and the next one starts when requested', async (test) => {
    const { standby, workers, forked } = make(test);
    standby.prepare();
    const worker = await forked(1);
    worker.load();
    const heard: string[] = [];
    const taken = standby.take({
      heard: ({ kind }) => heard.push(kind),
      ended: ({ kind }) => heard.push(kind),
    });
    assert.equal(taken, worker);
    assert.equal(standby.take(nobody), undefined);
    assert.equal(standby.isThere, false);
    worker.die();
    assert.deepEqual(heard, ['exited']);
    await aMoment();
    assert.equal(workers.length, 1, 'it is no longer its concern');
    standby.prepare();
    assert.notEqual(await forked(2), worker);
  });

  it('may be taken while it loads, and keeps its turn to fork until it has loaded or dies', async (test) => {
    const forkLimit = pLimit(1);
    const { standby, forked } = make(test, { forkLimit });
    standby.prepare();
    const worker = await forked(1);
    assert.equal(standby.take(nobody), worker);
    assert.equal(await isFree(forkLimit), false);
    worker.load();
    assert.equal(await isFree(forkLimit), true);
    standby.prepare();
    const other = await forked(2);
    standby.take(nobody);
    assert.equal(await isFree(forkLimit), false);
    other.die();
    assert.equal(await isFree(forkLimit), true);
  });

  it('that dies is replaced after the delay of the restart policy', async (test) => {
    const { standby, workers, forked, said } = make(test);
    standby.prepare();
    (await forked(1)).load();
    const diedMs = performance.now();
    workers[0]?.die();
    assert.deepEqual([standby.isThere, standby.isNear], [false, false]);
    standby.prepare();
    await aMoment();
    assert.equal(workers.length, 1, 'nobody can hurry it');
    await forked(2);
    assert.ok(performance.now() - diedMs >= 49);
    assert.equal(said.length, 1);
  });

  it('that dies repeatedly is restarted after longer delays, and given up until it is requested', async (test) => {
    const { standby, workers, forked, said } = make(test, { maxRestarts: 2 });
    standby.prepare();
    for (let count = 1; count <= 3; count += 1) (await forked(count)).die();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the log's own line
    const waits = said.map((line) => (JSON.parse(line) as { restartMs?: number }).restartMs);
    assert.ok(waits[0] !== undefined && waits[0] >= 50 && waits[0] <= 100, String(waits));
    assert.ok(waits[1] !== undefined && waits[1] >= 100 && waits[1] <= 200, String(waits));
    assert.equal(waits[2], undefined);
    await new Promise((resolve) => setTimeout(resolve, 450));
    assert.equal(workers.length, 3, 'none by itself');
    standby.prepare();
    (await forked(4)).die();
    assert.equal(said.length, 4);
    assert.match(said[3] ?? '', /no new one until a worker crashes/, 'and its deaths are not forgotten');
  });

  it('that does not load is killed at the 121st tick, and others get their turn to fork', async (test) => {
    const forkLimit = pLimit(1);
    const { standby, forked, said } = make(test, { forkLimit });
    standby.tick();
    standby.prepare();
    const worker = await forked(1);
    for (let look = 0; look < 120; look += 1) standby.tick();
    assert.ok(!worker.isKilled);
    standby.tick();
    assert.ok(worker.isKilled);
    assert.match(said[0] ?? '', /does not load/);
    worker.die();
    assert.equal(await isFree(forkLimit), true);
    const loaded = await forked(2);
    loaded.load();
    for (let look = 0; look < 1000; look += 1) standby.tick();
    assert.ok(!loaded.isKilled, 'it may wait for ever');
  });

  it('that cannot be forked is reported once', async (test) => {
    const { standby, forked, said } = make(test);
    standby.prepare();
    for (let count = 1; count <= 3; count += 1) (await forked(count)).die(notForked);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /cannot fork: EAGAIN/);
    (await forked(4)).load();
    await aMoment();
    standby.take(nobody);
    standby.prepare();
    (await forked(5)).die(notForked);
    assert.equal(said.length, 2, 'again after one that could');
  });

  it('is killed at the end, and no other is started, whatever was pending', async (test) => {
    const { standby, workers, forked, said } = make(test);
    standby.prepare();
    const worker = await forked(1);
    worker.load();
    const gone = standby.end();
    assert.ok(worker.isKilled);
    worker.die();
    await gone;
    standby.prepare();
    await aMoment();
    assert.equal(workers.length, 1);
    assert.deepEqual(said, []);

    const dying = make(test);
    dying.standby.prepare();
    (await dying.forked(1)).die();
    await dying.standby.end();
    const queued = make(test);
    queued.standby.prepare();
    await queued.standby.end();
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(dying.workers.length, 1);
    assert.equal(queued.workers.length, 0);
  });
});
