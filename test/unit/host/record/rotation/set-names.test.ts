import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setFile, SetNames } from '../../../../../src/host/record/rotation/set-names.ts';
import { guestPath } from '../../../../../src/trace/session.ts';
import { scratchDir } from '../../../trace/samples.ts';

function file(dir: string, name: string): void {
  writeFileSync(join(dir, name), '');
}

function recording(dir: string, name: string): void {
  mkdirSync(join(dir, name));
  file(join(dir, name), 'recording.json');
}

describe('setFile', () => {
  it("puts the number before a guest's name, where a session looks for the guest's file", () => {
    assert.equal(setFile('/x/s.dat', '/x/s.dat', 7), '/x/s.000007.dat');
    assert.equal(setFile('/x/s.dat', '/x/s-web.dat', 7), '/x/s.000007-web.dat');
    assert.equal(setFile('s.dat', 's-web.dat', 1_234_567), 's.1234567-web.dat');
    for (const [base, web] of [
      ['/x/s.dat', '/x/s-web.dat'],
      ['/x/s', '/x/s-web'],
      ['/x/s.a.b', '/x/s.a-web.b'],
    ] as const)
      assert.equal(guestPath(setFile(base, base, 7), 'web'), setFile(base, web, 7));
  });

  it('makes names that sort in the order of the sets', () => {
    const names = [1, 2, 9, 10, 99, 100, 999_999].map((set) => setFile('s.dat', 's.dat', set));
    assert.deepEqual(names.toSorted(), names);
  });
});

describe('SetNames', () => {
  function names(
    test: TestContext,
    base = 's.dat',
    guests: readonly string[] = ['s-web.dat'],
  ): [string, SetNames] {
    const dir = scratchDir(test);
    return [
      dir,
      new SetNames(
        join(dir, base),
        [base, ...guests].map((out) => join(dir, out)),
      ),
    ];
  }

  it('continues after the last number of a file or recording, and ignores other names', (test) => {
    const [dir, found] = names(test);
    assert.equal(found.next(), 1);
    for (const name of [
      's.dat',
      's.12345.dat',
      's.000050.txt',
      's.000060-db.dat',
      't.000070.dat',
      's.000080.dat.old',
    ])
      file(dir, name);
    symlinkSync('s.dat', join(dir, 's.000090.dat'));
    mkdirSync(join(dir, 's.000091.dat'));
    assert.equal(found.next(), 1);
    file(dir, 's.000003.dat');
    assert.equal(found.next(), 4);
    recording(dir, 's.000007-web.dat.recording');
    assert.equal(found.next(), 8);
  });

  it('works without an extension', (test) => {
    const [dir, found] = names(test, 's', ['s-web']);
    file(dir, 's-web.000004');
    file(dir, 's.000002');
    assert.equal(found.next(), 5);
    assert.deepEqual(found.deleteOld(4, 1), [join(dir, 's.000002')]);
  });

  it('names recordings without a file', (test) => {
    const [dir, found] = names(test);
    recording(dir, 's.000001.dat.recording');
    recording(dir, 's.000002.dat.recording');
    file(dir, 's.000001.dat');
    assert.deepEqual(found.unfinished(), [join(dir, 's.000002.dat.recording')]);
  });

  it('deletes whole sets, oldest first, with their recordings, and nothing else', (test) => {
    const [dir, found] = names(test);
    for (const set of [1, 2, 3, 4])
      for (const name of [`s.00000${set}.dat`, `s.00000${set}-web.dat`]) file(dir, name);
    recording(dir, 's.000001.dat.recording');
    recording(dir, 's.000002.dat.recording');
    file(join(dir, 's.000002.dat.recording'), 'mine');
    recording(dir, 's.000000.dat.recording');
    for (const name of ['s.dat', 's.000001-db.dat', 's.000005.dat']) file(dir, name);
    // set 5 is newer than the last one that was written
    const deleted = found.deleteOld(4, 2).toSorted();
    assert.deepEqual(
      deleted,
      ['s.000001-web.dat', 's.000001.dat', 's.000002-web.dat', 's.000002.dat'].map((name) => join(dir, name)),
    );
    assert.deepEqual(readdirSync(dir).toSorted(), [
      's.000000.dat.recording',
      's.000001-db.dat',
      's.000002.dat.recording',
      's.000003-web.dat',
      's.000003.dat',
      's.000004-web.dat',
      's.000004.dat',
      's.000005.dat',
      's.dat',
    ]);
    assert.deepEqual(
      readdirSync(join(dir, 's.000002.dat.recording')),
      ['mine'],
      "only the recording's own files",
    );
  });

  it('never deletes the last set, nor a recording without a file', (test) => {
    const [dir, found] = names(test);
    file(dir, 's.000001.dat');
    file(dir, 's.000002.dat');
    recording(dir, 's.000001.dat.recording');
    recording(dir, 's.000000.dat.recording');
    assert.deepEqual(found.deleteOld(2, 0), [join(dir, 's.000001.dat')]);
    assert.deepEqual(found.deleteOld(2, 0), []);
    assert.deepEqual(readdirSync(dir).toSorted(), ['s.000000.dat.recording', 's.000002.dat']);
  });
});
