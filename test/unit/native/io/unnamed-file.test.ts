import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { makeUnnamedFile, nameFile } from '../../../../src/native/io/unnamed-file.ts';

function scratch(test: TestContext): { dir: string; fd: number } {
  const dir = mkdtempSync(join(tmpdir(), 'unnamed-'));
  test.after(() => rmSync(dir, { recursive: true }));
  const fd = makeUnnamedFile(dir);
  assert.ok(fd !== undefined, `files without names in ${dir}`);
  test.after(() => closeSync(fd));
  return { dir, fd };
}

describe('a file without a name', () => {
  it('is in no directory until it is named, and goes on after that', (test) => {
    const { dir, fd } = scratch(test);
    writeSync(fd, 'before');
    assert.deepEqual(readdirSync(dir), []);
    nameFile(fd, join(dir, 'cpu0.raw'));
    writeSync(fd, ' and after');
    assert.equal(readFileSync(join(dir, 'cpu0.raw'), 'utf8'), 'before and after');
    assert.equal(statSync(join(dir, 'cpu0.raw')).mode & 0o777, 0o600);
  });

  it('replaces no other file', (test) => {
    const { dir, fd } = scratch(test);
    nameFile(fd, join(dir, 'taken'));
    assert.throws(() => nameFile(fd, join(dir, 'taken')), { code: 'EEXIST' });
    assert.throws(() => nameFile(fd, join(dir, 'no', 'such')), { code: 'ENOENT' });
  });

  it('cannot be made where there is no directory, or on a file system without such files', () => {
    assert.equal(makeUnnamedFile('/no/such/directory'), undefined);
    assert.equal(makeUnnamedFile('/proc'), undefined);
  });
});
