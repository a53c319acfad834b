import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listedFunctions } from '../../../../src/tracefs/settings/function-lists.ts';

describe('listedFunctions', () => {
  it('is nothing for a list that is all or none', () => {
    assert.deepEqual(listedFunctions('functionFilter', '#### all functions enabled ####\n'), []);
    assert.deepEqual(listedFunctions('functionNotrace', '#### no functions disabled ####\n'), []);
    assert.deepEqual(listedFunctions('graphFunctions', ''), []);
  });

  it('has functions, those of modules with these, each once, and what waits for a module, but no trigger', () => {
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

  it('has no modules for graphFunctions, where the kernel takes none', () => {
    assert.deepEqual(listedFunctions('graphFunctions', 'vp_get [virtio_pci]\nvfs_read\n'), [
      'vp_get',
      'vfs_read',
    ]);
  });
});
