import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rawInput } from '../../../../../src/cli/host/options/raw-input.ts';
import { Failure } from '../../../../../src/base/failure.ts';

describe('the CPU of a raw file', () => {
  for (const [given, cpu] of [
    ['cpu0.raw', 0],
    ['trace-path-cpu12.out', 12],
    ['dir9/trace.dat.cpu3', 3],
    ['cpu0-run2.raw', 0],
    ['cpu0.6.1.raw', 0],
    ['host-kvm-entry-CPU1.raw', 1],
    ['cpu7-of-cpu7.raw', 7],
  ] as const) {
    it(`of ${given} is ${cpu}`, () => assert.deepEqual(rawInput(given), { cpu, path: given }));
  }

  it('can be given before the file', () => {
    assert.deepEqual(rawInput('cpu4=a/trace.raw'), { cpu: 4, path: 'a/trace.raw' });
    assert.deepEqual(rawInput('cpu4=cpu0.raw'), { cpu: 4, path: 'cpu0.raw' });
  });

  for (const given of ['trace.raw', '0.raw', 'run-2', 'cpu.raw', 'cpu0-cpu1.raw', 'cpu123456.raw']) {
    it(`is required if ${given} does not contain it`, () => {
      assert.throws(
        () => rawInput(given),
        (error) =>
          error instanceof Failure && error.message.includes(given) && error.remedy.includes(`cpu0=${given}`),
      );
    });
  }
});
