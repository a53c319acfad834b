import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { exitCode } from '../../../../src/base/failure.ts';
import { OwnedDir } from '../../../../src/host/guest-dir/owned-dir.ts';
import { failure, scratchDir } from './scratch.ts';

const needsRoot = process.getuid?.() === 0 ? {} : { skip: 'only root can give a file away' };

describe('OwnedDir', () => {
  it('creates a directory that no other user can enter, once', (context) => {
    const path = join(scratchDir(context), 'new');
    const dir = OwnedDir.make(path);
    assert.equal(dir.made, true);
    assert.equal(dir.path, path);
    assert.equal(statSync(path).mode & 0o7777, 0o700);
    dir.close();
    const again = OwnedDir.make(path);
    assert.equal(again.made, false);
    again.close();
  });

  it('refuses a symbolic link, also one to a directory of this user, and does not follow it', (context) => {
    const base = scratchDir(context);
    mkdirSync(join(base, 'real'));
    symlinkSync(join(base, 'real'), join(base, 'link'));
    symlinkSync(join(base, 'nowhere'), join(base, 'dangling'));
    for (const name of ['link', 'dangling']) {
      const refused = failure(exitCode.notPermitted, /is a symbolic link$/);
      assert.throws(() => OwnedDir.make(join(base, name)), refused);
      assert.throws(() => OwnedDir.open(join(base, name)), refused);
    }
    assert.equal(existsSync(join(base, 'nowhere')), false);
  });

  it('refuses a file and a missing directory', (context) => {
    const base = scratchDir(context);
    writeFileSync(join(base, 'file'), '');
    assert.throws(
      () => OwnedDir.make(join(base, 'file')),
      failure(exitCode.notPermitted, /is not a directory$/),
    );
    assert.throws(
      () => OwnedDir.open(join(base, 'none')),
      failure(exitCode.missing, /^directory .* does not exist$/, /trace-host setup/),
    );
    assert.throws(
      () => OwnedDir.make(join(base, 'none', 'deeper')),
      failure(exitCode.missing, /^cannot access .*none: ENOENT$/),
    );
    assert.throws(() => OwnedDir.make('/'), failure(exitCode.usage, /root directory/));
  });

  it("refuses another user's directory", needsRoot, (context) => {
    const path = join(scratchDir(context), 'theirs');
    mkdirSync(path);
    chownSync(path, 12345, 12345);
    assert.throws(() => OwnedDir.open(path), failure(exitCode.notPermitted, /another user \(uid 12345\)$/));
  });

  it('refuses a place where others could replace the directory, and accepts a sticky one', (context) => {
    const base = scratchDir(context);
    const open = join(base, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    assert.throws(
      () => OwnedDir.make(join(open, 'mine')),
      failure(exitCode.notPermitted, /^other users may write to .*open/, /^chmod o-w/),
    );
    assert.equal(existsSync(join(open, 'mine')), false);
    chmodSync(open, 0o1777);
    OwnedDir.make(join(open, 'mine')).close();
    mkdirSync(join(open, 'mine', 'deep'));
    chmodSync(open, 0o777);
    assert.throws(
      () => OwnedDir.open(join(open, 'mine', 'deep')),
      failure(exitCode.notPermitted, /open and replace/),
    );
  });

  it('refuses a place below a directory of another user', needsRoot, (context) => {
    const theirs = join(scratchDir(context), 'theirs');
    mkdirSync(join(theirs, 'sub'), { recursive: true });
    chownSync(theirs, 12345, 12345);
    assert.throws(
      () => OwnedDir.make(join(theirs, 'sub', 'mine')),
      failure(exitCode.notPermitted, /who could replace/),
    );
  });

  it('returns the path with the links above it resolved', (context) => {
    const base = scratchDir(context);
    mkdirSync(join(base, 'real'));
    symlinkSync('real', join(base, 'link'));
    const dir = OwnedDir.make(join(base, 'link', 'mine'));
    assert.equal(dir.path, join(base, 'real', 'mine'));
    dir.close();
  });

  it('continues to use the directory that it checked, even if its name now belongs to another one', (context) => {
    const base = scratchDir(context);
    const dir = OwnedDir.make(join(base, 'mine'));
    writeFileSync(dir.entry('seen'), '');
    renameSync(join(base, 'mine'), join(base, 'moved'));
    mkdirSync(join(base, 'mine'));
    assert.equal(dir.look('seen')?.isFile(), true);
    assert.equal(dir.look('never'), undefined);
    dir.close();
  });
});
