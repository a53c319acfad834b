import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { threadsByEntries } from '../../../../src/host/vcpus/kvm-entries.ts';
import { writeCases } from '../../../report/made-file.ts';
import { scratchDir } from '../../trace/samples.ts';

describe('the threads of virtual CPUs by kvm_entry', () => {
  it('are those of one QEMU', async (test) => {
    const entries = {
      what: 'entries of two guests',
      event: 'kvm:kvm_entry',
      fields: 'unsigned int vcpu_id; unsigned long rip; bool immediate_exit',
      print: '"vcpu %u", REC->vcpu_id',
      // CPU 0 of two guests, and CPU 1 of the first
      records: [[0, 1, 0], [1, 2, 0], [0, 3, 0], [0, 4, 0]], // biome-ignore format: one line
      pids: [41, 42, 51, 41],
    };
    const out = await writeCases(scratchDir(test), [entries]);
    const first = new Map([[0, 41], [1, 42]]); // biome-ignore format: one line
    assert.deepEqual(await threadsByEntries(out, new Set([40, 41, 42])), first);
    assert.deepEqual(await threadsByEntries(out, new Set([51])), new Map([[0, 51]]));
    assert.deepEqual(await threadsByEntries(out, new Set([7])), new Map());
  });

  it('are unknown without such events', async (test) => {
    const dir = scratchDir(test);
    const out = await writeCases(dir, [
      { what: 'another', event: 'a:b', fields: 'int x', print: '"x"', records: [[1]] },
    ]);
    assert.deepEqual(await threadsByEntries(out, new Set([1234])), new Map());
    assert.deepEqual(await threadsByEntries(join(dir, 'none'), new Set([1234])), new Map());
  });
});
