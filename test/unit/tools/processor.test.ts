import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitCode, Failure } from '../../../src/base/failure.ts';
import { binutil, targetOf } from '../../../tools/single/processor.ts';

/** As npm names them; this machine's is one of the two. */
const [own, other] = process.arch === 'arm64' ? (['arm64', 'x64'] as const) : (['x64', 'arm64'] as const);

describe('the processor to build for', () => {
  it("is this machine's, with the results in dist", () => {
    assert.deepEqual(targetOf([], '/checkout'), { processor: own, dir: '/checkout/dist' });
    assert.deepEqual(targetOf(['--arch', own], '/checkout'), { processor: own, dir: '/checkout/dist' });
  });

  it('may be another, with the results in a directory of its own', () => {
    const results = `/checkout/dist/${other}`;
    assert.deepEqual(targetOf(['--arch', other], '/checkout'), { processor: other, dir: results });
    assert.deepEqual(targetOf([`--arch=${other}`, '/tmp/x'], '/checkout'), {
      processor: other,
      dir: '/tmp/x',
    });
  });

  it('is refused if koffi or Node would be missing', () => {
    for (const argv of [['--arch', 'riscv64'], ['--arch'], ['--cpu', 'x64'], ['a', 'b'], ['--arch', '']])
      assert.throws(
        () => targetOf(argv, '/checkout'),
        (error) =>
          error instanceof Failure && error.exitCode === exitCode.usage && error.remedy.includes('--arch'),
        argv.join(' '),
      );
  });

  it('decides which binutils read its files', () => {
    assert.deepEqual(binutil('strip', own), ['strip', 'install binutils']);
    const [strip, from] = binutil('strip', other);
    assert.match(`${strip} ${from}`, /^(\w+-linux-gnu)-strip install binutils-[\w-]+-linux-gnu$/);
  });
});
