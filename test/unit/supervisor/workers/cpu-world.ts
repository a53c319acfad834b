import assert from 'node:assert/strict';
import {
  type CpuEvent,
  type CpuModel,
  type Effect,
  newCpu,
  type StopOutcome,
  step,
} from '../../../../src/supervisor/workers/cpu-machine.ts';

/** A worker as its supervisor sees it: the messages sent to it, and those from it that have not arrived yet. */
interface Worker {
  ready: boolean;
  doing: 'nothing' | 'run' | 'leave' | { readonly stop: number };
  parting: boolean;
  said: CpuEvent[];
}

/** Everything that may happen to one CPU, in any order. Deeds that are impossible at the moment do nothing. */
export type Deed =
  | 'open'
  | 'run'
  | 'stop'
  | 'leave'
  | 'port-goes'
  | 'port-comes'
  | 'fork'
  | 'fork-fails'
  | 'worker-ready'
  | 'worker-works'
  | 'worker-stops-unflushed'
  | 'worker-finds-port-gone'
  | 'worker-finds-ring-gone'
  | 'worker-crashes'
  | 'worker-crashes-last'
  | 'message'
  | 'timer';

export const deeds: readonly Deed[] = [
  'open',
  'run',
  'stop',
  'leave',
  'port-goes',
  'port-comes',
  'fork',
  'fork-fails',
  'worker-ready',
  'worker-works',
  'worker-stops-unflushed',
  'worker-finds-port-gone',
  'worker-finds-ring-gone',
  'worker-crashes',
  'worker-crashes-last',
  'message',
  'timer',
];

/**
 * The surroundings of one CPU's state machine: a supervisor that gives orders like the real one, an executor of
 * effects, a port that comes and goes, workers that die. Asserts at each step that nothing forbidden happens.
 */
export class CpuWorld {
  cpu: CpuModel = newCpu;
  worker: Worker | undefined;
  /** The supervisor's last order. */
  wanted: 'run' | 'stop' = 'stop';
  leaving = false;
  readonly outcomes = new Map<number, StopOutcome>();
  stops = 0;
  #portThere = true;
  #opened = false;
  #forkDue = false;
  #timerDue = false;
  readonly #flushed = new Set<number>();
  heldBytes = 0;

  get stopPending(): boolean {
    return this.outcomes.size < this.stops;
  }

  get closed(): boolean {
    return !this.#opened;
  }

  do(deed: Deed): void {
    switch (deed) {
      case 'open':
        if (!this.leaving || this.cpu.state.kind === 'ended') this.#open();
        return;
      case 'run':
        if (this.leaving) return;
        this.wanted = 'run';
        return this.#dispatch({ kind: 'run' });
      case 'stop':
        // A second stop of the supervisor joins the first.
        if (this.leaving || this.stopPending) return;
        this.wanted = 'stop';
        this.stops += 1;
        return this.#dispatch({ kind: 'stop', id: this.stops });
      case 'leave':
        this.leaving = true;
        return this.#dispatch({ kind: 'leave', heldBytes: this.heldBytes });
      case 'port-goes':
      case 'port-comes':
        this.#portThere = deed === 'port-comes';
        return;
      case 'fork':
        if (!this.#forkDue) return;
        this.#forkDue = false;
        if (this.cpu.state.kind !== 'queued') return;
        assert.equal(this.worker, undefined, 'two workers at once');
        assert.ok(this.#opened, 'a worker without descriptors');
        this.worker = { ready: false, doing: 'nothing', parting: false, said: [] };
        return this.#dispatch({ kind: 'spawned' });
      case 'fork-fails':
        if (!this.#forkDue || this.cpu.state.kind !== 'queued') return;
        this.#forkDue = false;
        return this.#dispatch({ kind: 'exited', clean: false, restartMs: 100 });
      case 'worker-ready':
        if (this.worker === undefined || this.worker.ready) return;
        this.worker.ready = true;
        this.worker.said.push({ kind: 'ready' });
        return;
      case 'worker-works':
        return this.#work(true);
      case 'worker-stops-unflushed':
        return this.#work(false);
      case 'worker-finds-port-gone':
      case 'worker-finds-ring-gone':
        if (this.worker?.ready !== true || this.worker.parting) return;
        this.worker.parting = true;
        this.worker.said.push({ kind: 'gone', what: deed === 'worker-finds-port-gone' ? 'port' : 'ring' });
        return;
      case 'worker-crashes':
        return this.#workerEnds(false, 100);
      case 'worker-crashes-last':
        return this.#workerEnds(false, undefined);
      case 'message': {
        const message = this.worker?.said.shift();
        if (message !== undefined) this.#dispatch(message);
        return;
      }
      case 'timer':
        if (!this.#timerDue) return;
        this.#timerDue = false;
        return this.#dispatch({ kind: 'timer' });
      default:
        return deed satisfies never;
    }
  }

  /** No more faults from now on: everything that is due happens, until nothing is due. */
  settle(): void {
    this.do('port-comes');
    for (let rounds = 0; rounds < 100; rounds += 1) {
      const before = JSON.stringify([this.cpu, this.worker, this.#forkDue, this.#timerDue, this.stops]);
      for (const deed of ['message', 'timer', 'fork', 'worker-ready', 'worker-works'] as const) this.do(deed);
      if (JSON.stringify([this.cpu, this.worker, this.#forkDue, this.#timerDue, this.stops]) === before)
        return;
    }
    assert.fail(`it does not come to rest: ${JSON.stringify(this.cpu)}`);
  }

  #open(): void {
    this.leaving = false;
    this.#dispatch({ kind: 'open' });
    // Like the supervisor: an open CPU runs if the last order was to run.
    if (this.wanted === 'run') this.#dispatch({ kind: 'run' });
  }

  #work(flushed: boolean): void {
    const { worker } = this;
    if (worker === undefined) return;
    if (worker.parting) {
      if (worker.said.length === 0) this.#workerEnds(true, undefined);
      return;
    }
    if (worker.doing === 'run') this.heldBytes = 4096;
    else if (worker.doing === 'leave') {
      this.heldBytes = 0;
      this.#workerEnds(true, undefined);
    } else if (typeof worker.doing === 'object') {
      const id = worker.doing.stop;
      if (flushed) {
        this.heldBytes = 0;
        this.#flushed.add(id);
      }
      worker.said.push({ kind: 'stopped', id, flushed });
      worker.doing = 'nothing';
    }
  }

  #workerEnds(clean: boolean, restartMs: number | undefined): void {
    if (this.worker === undefined) return;
    // Its last messages may never arrive.
    this.worker = undefined;
    const asked = this.cpu.state.kind === 'leaving' && clean;
    const parting = this.cpu.state.kind === 'parting';
    this.#dispatch({ kind: 'exited', clean, restartMs: parting ? 100 : asked ? undefined : restartMs });
  }

  #dispatch(event: CpuEvent): void {
    const { cpu, effects } = step(this.cpu, event);
    this.cpu = cpu;
    for (const effect of effects) this.#perform(effect);
    if (this.worker?.ready === false)
      assert.notEqual(this.cpu.state.kind, 'running', 'runs before it is ready');
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'open':
        assert.equal(this.worker, undefined, 'opens under a living worker');
        this.#opened = this.#portThere;
        return this.#dispatch(
          this.#portThere ? { kind: 'opened' } : { kind: 'unavailable', why: 'missing', reason: 'no port' },
        );
      case 'fork':
        assert.equal(this.worker, undefined, 'forks beside a living worker');
        this.#forkDue = true;
        return;
      case 'send-start':
        this.#readyWorker().doing = 'run';
        return;
      case 'send-stop':
        this.#readyWorker().doing = { stop: effect.id };
        return;
      case 'send-leave':
        this.#readyWorker().doing = 'leave';
        return;
      case 'close':
        assert.equal(this.worker, undefined, 'closes under a living worker');
        this.#opened = false;
        return;
      case 'timer':
        this.#timerDue = true;
        return;
      case 'report-stop':
        assert.equal(effect.id, this.stops, 'answers a stop that nobody asked for');
        assert.ok(!this.outcomes.has(effect.id), 'answers a stop twice');
        if (effect.outcome === 'flushed')
          assert.ok(this.#flushed.has(effect.id), 'says flushed without a flush');
        this.outcomes.set(effect.id, effect.outcome);
        return;
      case 'say-waiting':
        return;
      default:
        return effect satisfies never;
    }
  }

  #readyWorker(): Worker {
    assert.ok(this.worker?.ready, 'an order to a worker that is not ready');
    return this.worker;
  }
}
