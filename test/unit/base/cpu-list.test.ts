import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { maxCpus, parseCpuList } from '../../../src/base/cpu-list.ts';
import { Failure } from '../../../src/base/failure.ts';
import { assertUsage } from '../cli/assert-usage.ts';
import { thorough } from '../../set.ts';

const cpu = fc.nat(maxCpus - 1);

describe('parseCpuList', () => {
  it('reads numbers and ranges, in ascending order and each once', () => {
    assert.deepEqual(parseCpuList('0-3,6', '--cpus'), [0, 1, 2, 3, 6]);
    assert.deepEqual(parseCpuList(' 10, 2-2 ,9,9-10\n', '--cpus'), [2, 9, 10]);
    assert.deepEqual(parseCpuList('8191', '--cpus'), [8191]);
    assert.equal(parseCpuList('0-8191', '--cpus').length, 8192);
  });

  it("reads the kernel's groups", () => {
    assert.deepEqual(parseCpuList('0-10:2/4', '--cpus'), [0, 1, 4, 5, 8, 9]);
    assert.deepEqual(parseCpuList('3-9:1/3', '--cpus'), [3, 6, 9]);
    assert.deepEqual(parseCpuList('0-3:2/2', '--cpus'), [0, 1, 2, 3]);
  });

  it('reports what is wrong with anything else', () => {
    assertUsage(() => parseCpuList('', '--cpus'), /^--cpus: an empty entry in ""/, /0-3,6/);
    assertUsage(() => parseCpuList('1,,2', '--cpus'), /an empty entry in "1,,2"/);
    assertUsage(() => parseCpuList('1,', '--cpus'), /an empty entry/);
    assertUsage(() => parseCpuList('0,a', '--cpus'), /"a" in "0,a" is neither a CPU nor a range/);
    for (const text of [
      '-1',
      '1-',
      '1.5',
      '0x1',
      '1e3',
      '1-2-3',
      '0-3:2',
      '0-3:/2',
      '1:1/2',
      'all',
      '１',
      '9'.repeat(400),
    ])
      assertUsage(() => parseCpuList(text, '--cpus'), /is neither a CPU nor a range/);
    assertUsage(() => parseCpuList('3-1', '--cpus'), /range 3-1 runs backwards/);
    assertUsage(() => parseCpuList('8192', '--cpus'), /no kernel has a CPU 8192/);
    assertUsage(() => parseCpuList('0-4000000000', '--cpus'), /no kernel has a CPU 4000000000/);
    assertUsage(() => parseCpuList('0-3:0/2', '--cpus'), /takes 0 CPUs of every 2/);
    assertUsage(() => parseCpuList('0-3:3/2', '--cpus'), /takes 3 CPUs of every 2/);
    assertUsage(() => parseCpuList('0-3:0/0', '--cpus'), /takes 0 CPUs of every 0/);
    assertUsage(
      () => parseCpuList('\n\u001b[31m'.repeat(500) + 'x', '--cpus'),
      /is neither a CPU nor a range/,
    );
  });

  it('reads back any list that it could have received', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(cpu, fc.nat(20)), { minLength: 1, maxLength: 50 }), (ranges) => {
        const wanted = new Set<number>();
        const texts = ranges.map(([first, more]) => {
          const last = Math.min(first + more, maxCpus - 1);
          for (let each = first; each <= last; each++) wanted.add(each);
          return first === last ? `${first}` : `${first}-${last}`;
        });
        const sorted = [...wanted].sort((a, b) => a - b);
        assert.deepEqual(parseCpuList(texts.join(','), '--cpus'), sorted);
      }),
    );
  });

  it('returns CPUs or throws a Failure for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-0-9,:/ ]{0,20}$/)), (text) => {
        try {
          const cpus = parseCpuList(text, '--cpus');
          assert.ok(
            cpus.length > 0 && cpus.every((each) => Number.isInteger(each) && each >= 0 && each < maxCpus),
          );
        } catch (cause) {
          if (!(cause instanceof Failure)) throw cause;
        }
      }),
      { numRuns: thorough(1000) },
    );
  });
});
