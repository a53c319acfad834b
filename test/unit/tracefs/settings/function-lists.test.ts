import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listedFunctions } from '../../../../src/tracefs/settings/function-lists.ts';

describe('listedFunctions', () => {
  it('returns nothing for a list of all or none', () => {
    assert.deepEqual(listedFunctions('functionFilter', '#### all functions enabled ####\n'), []);
    assert.deepEqual(listedFunctions('functionNotrace', '#### no functions disabled ####\n'), []);
    assert.deepEqual(listedFunctions('graphFunctions', ''), []);
  });

  it('returns functions with their modules, each once, and those of missing modules, but no trigger', () => {
    const text = `vfs_read
vp_get [virtio_pci]
vp_get [virtio_pci]
vfs_read
foo.isra.0
vfs_open:traceoff:count=3
vfs_write:traceon:unlimited
vfs_stat:enable_event:sched:sched_switch:count=1
*:mod:ext4
virtio*:mod:virtio_pci
`;
    assert.deepEqual(listedFunctions('functionFilter', text), [
      'vfs_read',
      'vp_get:mod:virtio_pci',
      'foo.isra.0',
      '*:mod:ext4',
      'virtio*:mod:virtio_pci',
    ]);
  });

  it('returns no modules for graphFunctions, where the kernel accepts none', () => {
    assert.deepEqual(listedFunctions('graphFunctions', 'vp_get [virtio_pci]\nvfs_read\n'), [
      'vp_get',
      'vfs_read',
    ]);
  });
});
