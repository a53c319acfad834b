import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OffStretches, ThreadTimes } from '../../../src/clock/exclusion/off-stretches.ts';

const tid = 1000;
const other = 7;

/** The stretches that these events of a host show, of one vCPU. */
class Host {
  readonly off = new OffStretches();
  readonly times = new ThreadTimes(new Map([[tid, this.off]]));

  out(time: number, cpu = 0, lost = false): this {
    this.times.event(cpu, time, tid, lost);
    this.times.switched(time, tid, other);
    return this;
  }

  into(time: number, cpu = 0, lost = false): this {
    this.times.event(cpu, time, other, lost);
    this.times.switched(time, other, tid);
    return this;
  }

  /** An event of another kind. */
  event(time: number, cpu: number, pid: number, lost = false): this {
    this.times.event(cpu, time, pid, lost);
    return this;
  }

  /** An exit of KVM, and an entry. */
  exit(time: number): this {
    this.event(time, 0, tid).times.left(time, tid);
    return this;
  }

  entry(time: number): this {
    this.event(time, 0, tid).times.enters(time, tid);
    return this;
  }

  get found(): [number, number][] {
    return Array.from({ length: this.off.length }, (_, i) => [this.off.from[i]!, this.off.to[i]!]);
  }
}

describe('off-stretches of a vCPU', () => {
  it('go from a switch-out to the next switch-in, on any CPU', () => {
    const host = new Host().into(10).out(20).into(30, 1).out(40, 1).into(50, 0);
    assert.deepEqual(host.found, [
      [20, 30],
      [40, 50],
    ]);
  });

  it('need both ends', () => {
    // the switch-in at 30 was not recorded
    assert.deepEqual(new Host().out(20).out(40).into(50).found, [[40, 50]]);
    assert.deepEqual(new Host().into(10).into(30).found, []);
  });

  it('are doubtful if the thread shows itself in between', () => {
    assert.deepEqual(new Host().out(20).event(30, 1, tid).into(50).found, []);
    assert.deepEqual(new Host().out(20).event(30, 1, other).into(50).found, [[20, 50]]);
  });

  it('are doubtful if any CPU lost events meanwhile, where the thread may have run', () => {
    assert.deepEqual(new Host().out(20).event(30, 1, other, true).into(50).found, []);
    // what CPU 1 lost lies between 15 and 60, so that it is seen too late
    const late = new Host().event(15, 1, other).out(20).into(50).event(60, 1, other, true);
    assert.deepEqual(late.found, []);
    const before = new Host().out(10).into(15).event(16, 1, other).out(20).into(50).event(60, 1, other, true);
    assert.deepEqual(before.found, [[10, 15]]);
    assert.deepEqual(new Host().out(20, 0, true).into(50).found, [[20, 50]]);
    assert.deepEqual(new Host().out(20).into(50, 0, true).found, []);
  });

  it('last from an exit of KVM to the next entry, whether or not the thread was switched out meanwhile', () => {
    const host = new Host();
    host.entry(5).exit(10).out(12).into(17).entry(20).exit(30).entry(33);
    // outside KVM, only the switches tell
    host.out(40).into(45);
    assert.deepEqual(host.found, [
      [10, 20],
      [30, 33],
      [40, 45],
    ]);
    // an entry was not recorded, an exit was not, some events were lost
    assert.deepEqual(new Host().entry(5).exit(10).exit(20).entry(22).found, [[20, 22]]);
    assert.deepEqual(new Host().entry(5).exit(10).entry(12).entry(20).found, [[10, 12]]);
    assert.deepEqual(new Host().entry(5).exit(10).event(15, 1, other, true).entry(20).found, []);
    // no entry is recorded: the switches count
    assert.deepEqual(new Host().exit(10).out(12).into(17).exit(20).found, [[12, 17]]);
  });

  it('become fewer when there are too many, and those that stay are true', () => {
    const off = new OffStretches(1000);
    for (let i = 0; i < 10_500; i++) off.add(10 * i, 10 * i + 5);
    assert.ok(off.length > 500 && off.length <= 1000, `${off.length}`);
    for (let i = 0; i < off.length; i++) {
      assert.equal(off.from[i]! % 10, 0);
      assert.equal(off.to[i]! - off.from[i]!, 5);
      assert.ok(i === 0 || off.from[i]! > off.from[i - 1]!);
    }
    assert.ok(off.to[off.length - 1]! > 100_000, 'the last ones too');
  });
});
