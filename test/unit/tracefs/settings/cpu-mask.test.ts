import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cpusOfMask, maskOfCpus } from '../../../../src/tracefs/settings/cpu-mask.ts';

describe('a mask of CPUs', () => {
  it('has a bit for each, and a comma before each 32', () => {
    assert.deepEqual(cpusOfMask('5', []), [0, 2]);
    assert.deepEqual(cpusOfMask('1,00000001', []), [0, 32]);
    assert.deepEqual(cpusOfMask('0', []), []);
    assert.equal(maskOfCpus([0, 2]), '5');
    assert.equal(maskOfCpus([]), '0');
    assert.equal(maskOfCpus([0, 32, 67]), '8,00000001,00000001');
  });

  it('of -1 means all possible CPUs', () => {
    assert.deepEqual(cpusOfMask('-1', [0, 1, 2]), [0, 1, 2]);
  });

  it('is the same when formatted and parsed', () => {
    for (const cpus of [[0], [31], [32], [0, 1, 2, 3], [63, 64, 8191]])
      assert.deepEqual(cpusOfMask(maskOfCpus(cpus), []), cpus);
  });
});
