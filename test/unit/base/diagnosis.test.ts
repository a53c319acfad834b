import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Chain, isSound, Undetermined } from '../../../src/base/diagnosis.ts';
import { linesOf } from '../../../src/cli/report/diagnosis.ts';
import { exitCode, Failure } from '../../../src/base/failure.ts';

describe('a chain of links', () => {
  it('reports for each link whether it works, and skips links that need a broken one', async () => {
    const chain = new Chain();
    await chain.look('a', [], () => 'fine');
    await chain.look('b', ['a'], () => {
      throw new Failure(exitCode.missing, 'b is gone', 'make b');
    });
    await chain.look('c', ['b'], () => assert.fail('c cannot be looked at without b'));
    await chain.look('d', ['c'], () => assert.fail('nor can d'));
    await chain.look('e', ['a'], () => {
      throw new Undetermined('nobody to ask');
    });
    await chain.look('f', ['e'], () => Promise.resolve('fine too'));
    assert.deepEqual(
      chain.links.map(({ link, state }) => [link, state]),
      [
        ['a', 'ok'],
        ['b', 'wrong'],
        ['c', 'skipped'],
        ['d', 'skipped'],
        ['e', 'unknown'],
        ['f', 'ok'],
      ],
    );
    assert.equal(isSound(chain.links), false);
    assert.match(linesOf(chain.links), /^b {2}wrong {4}b is gone — make b$/m);
  });

  it('does not report a bug as a broken link', async () => {
    await assert.rejects(
      new Chain().look('a', [], () => {
        throw new TypeError('undefined is not a function');
      }),
      TypeError,
    );
  });

  it('is sound when nothing is wrong, even if something is unknown', async () => {
    const chain = new Chain();
    await chain.look('a', [], () => {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    });
    assert.deepEqual(
      chain.links.map(({ state }) => state),
      ['unknown'],
    );
    assert.equal(isSound(chain.links), true);
  });
});
