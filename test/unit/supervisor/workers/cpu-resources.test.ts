import assert from 'node:assert/strict';
import { openSync, writeSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { CpuResources } from '../../../../src/supervisor/workers/cpu-resources.ts';

const openNull = (): number => openSync('/dev/null', 'r+');
const outlets = { outlet: 'splice', open: openNull, turnFd: undefined, frameSync: undefined } as const;

function ringOf(pageBytes: number) {
  return { openRing: openNull, pageBytes: () => pageBytes, ringPages: () => 1 };
}

function opened(test: TestContext, pipeBytes: number, pageBytes: number): CpuResources {
  const resources = new CpuResources(0, outlets, pipeBytes);
  test.after(() => resources.dispose());
  resources.open(ringOf(pageBytes));
  return resources;
}

describe('CpuResources', () => {
  it('counts pages per splice by their bytes, because the kernel requests no more', (test) => {
    assert.equal(opened(test, 512 * 1024, 4096).pipePages, 128);
    assert.equal(opened(test, 64 * 1024, 8192).pipePages, 8);
    assert.equal(opened(test, 64 * 1024, 64 * 1024).pipePages, 1);
  });

  it('makes the pipe large enough for one page, also when pages become larger', (test) => {
    assert.equal(opened(test, 64 * 1024, 128 * 1024).pipePages, 1);
    const resources = opened(test, 64 * 1024, 4096);
    writeSync(resources.lent.pipeWrite, Buffer.alloc(4096));
    resources.close('ring');
    resources.open(ringOf(256 * 1024));
    assert.deepEqual([resources.pipePages, resources.heldBytes], [1, 4096]);
  });
});
