import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { instanceNameFault, nameOfProcess, removeStaleInstances } from '../../../src/tracefs/instance.ts';

describe('instance names', () => {
  it('accepts valid names', () => {
    for (const name of ['vm1', 'virtio-trace', 'a.b_c-D', 'x'.repeat(64)])
      assert.equal(instanceNameFault(name), undefined);
  });

  it('reports what is wrong with invalid names', () => {
    assert.match(instanceNameFault('') ?? '', /empty/);
    assert.match(instanceNameFault('x'.repeat(65)) ?? '', /longer than 64/);
    assert.match(instanceNameFault('..') ?? '', /dot/);
    assert.match(instanceNameFault('.hidden') ?? '', /dot/);
    for (const name of ['a/b', '/', 'a b', 'a\n', 'a\0', 'ä'])
      assert.match(instanceNameFault(name) ?? '', /only letters/);
  });

  it('accepts no name that leads out of the directory', () => {
    const hostile = fc
      .array(fc.constantFrom('.', '..', '/', '\0', 'a', '\\', '%2f', '-'))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        hostile,
        (name) => instanceNameFault(name) !== undefined || /^[A-Za-z0-9_-][^/\0]*$/.test(name),
      ),
    );
  });
});

describe('instances named after processes', () => {
  it('are stale when that process has ended; others are not touched', async (test) => {
    const root = mkdtempSync(join(tmpdir(), 'virtio-trace-instances-'));
    test.after(() => rmSync(root, { recursive: true }));
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const ended = nameOfProcess('trace-host', child.pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const alive = nameOfProcess('trace-host');
    const [, , pid, ticks] = alive.split('-');
    assert.equal(Number(pid), process.pid);
    // the same number, but a process that was started at another time
    const earlier = `trace-host-${pid}-${Number(ticks) - 1}`;
    const others = ['trace-host', 'trace-host-1', 'trace-host-web', `my-${ended}`, 'other-1-1'];
    for (const name of [ended, alive, earlier, ...others])
      mkdirSync(join(root, 'instances', name), { recursive: true });
    assert.deepEqual([...(await removeStaleInstances(root, 'trace-host'))].sort(), [ended, earlier].sort());
    assert.deepEqual(readdirSync(join(root, 'instances')).sort(), [alive, ...others].sort());
  });

  it('stay when they are in use', async (test) => {
    const root = mkdtempSync(join(tmpdir(), 'virtio-trace-instances-'));
    test.after(() => rmSync(root, { recursive: true }));
    // a directory that is not empty stands for an instance whose rings are open: rmdir fails
    mkdirSync(join(root, 'instances/trace-host-1-1/open'), { recursive: true });
    assert.deepEqual(await removeStaleInstances(root, 'trace-host'), []);
    assert.deepEqual(await removeStaleInstances(join(root, 'none'), 'trace-host'), []);
  });
});
