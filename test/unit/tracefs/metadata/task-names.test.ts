import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canRecordTgids, namesToSave } from '../../../../src/tracefs/metadata/task-names.ts';

const GiB = 1024 ** 3;

describe('namesToSave', () => {
  it("returns one for each pid, up to the kernel's limit", () => {
    assert.equal(namesToSave({ pidMax: 4096, memoryBytes: 8 * GiB }), 4096);
    assert.equal(namesToSave({ pidMax: 32_768, memoryBytes: 8 * GiB }), 32_768);
    assert.equal(namesToSave({ pidMax: 4_194_304, memoryBytes: 8 * GiB }), 32_768);
    assert.equal(namesToSave({ pidMax: undefined, memoryBytes: undefined }), 32_768);
  });

  it('uses at most a thousandth of the memory', () => {
    for (const memoryBytes of [GiB / 16, GiB / 4, GiB / 2]) {
      const names = namesToSave({ pidMax: 4_194_304, memoryBytes });
      assert.ok(names * 20 <= memoryBytes / 1000 && (names + 1) * 20 > memoryBytes / 1000, String(names));
    }
  });
});

describe('canRecordTgids', () => {
  it('requires the table of all pids to fit in a hundredth of the memory', () => {
    assert.equal(canRecordTgids({ pidMax: 32_768, memoryBytes: GiB / 16 }), true);
    assert.equal(canRecordTgids({ pidMax: 4_194_304, memoryBytes: GiB }), false);
    assert.equal(canRecordTgids({ pidMax: 4_194_304, memoryBytes: 2 * GiB }), true);
    assert.equal(canRecordTgids({ pidMax: undefined, memoryBytes: 8 * GiB }), false);
    assert.equal(canRecordTgids({ pidMax: 32_768, memoryBytes: undefined }), false);
  });
});
