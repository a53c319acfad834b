import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { instanceNameFault } from '../../../src/tracefs/instance.ts';

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
