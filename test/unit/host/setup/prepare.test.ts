import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { exitCode } from '../../../../src/base/failure.ts';
import type { SetupOptions } from '../../../../src/host/setup/options.ts';
import type { PreparedGuest } from '../../../../src/host/setup/prepare.ts';
import { prepareGuest } from '../../../../src/host/setup/prepare.ts';
import { removeGuest } from '../../../../src/host/setup/remove.ts';
import { makeFifo } from '../../../../src/native/io/fifo.ts';
import { failure, lockElsewhere, scratchDir } from '../guest-dir/scratch.ts';

type Given = Partial<Omit<SetupOptions, 'location'>>;

const unsaid = {
  cpus: undefined,
  chardev: undefined,
  transport: undefined,
  group: undefined,
  format: undefined,
  applyTo: undefined,
};

function prepare(dir: string, given: Given = {}, guest?: string): Promise<PreparedGuest> {
  const options = { ...unsaid, remove: false, ...given, location: { dir, guest } };
  return prepareGuest(options, () => Promise.resolve(3));
}

function mode(path: string): number {
  return statSync(path).mode & 0o7777;
}

describe('prepareGuest', () => {
  it('creates the directory, the FIFOs and guest.json, for this user only, whatever the umask', async (context) => {
    const dir = join(scratchDir(context), 'ports');
    const before = process.umask(0o000);
    context.after(() => process.umask(before));
    const { path, file, changes } = await prepare(dir, { cpus: 1 });
    assert.equal(path, dir);
    assert.deepEqual(file, { format: 1, cpus: 1, chardev: 'pipe' });
    const fifos = ['agent-ctl-path.in', 'agent-ctl-path.out', 'trace-path-cpu0.in', 'trace-path-cpu0.out'];
    assert.deepEqual(readdirSync(dir).sort(), [...fifos, 'guest.json'].sort());
    assert.deepEqual(changes.made.sort(), ['.', ...fifos, 'guest.json'].sort());
    assert.equal(mode(dir), 0o700);
    for (const name of fifos) {
      assert.ok(statSync(join(dir, name)).isFIFO());
      assert.equal(mode(join(dir, name)), 0o1600, name);
    }
  });

  it('keeps the transport of an earlier run until another is given', async (context) => {
    const dir = scratchDir(context);
    const mmio = { format: 1, cpus: 1, chardev: 'pipe', transport: 'mmio' } as const;
    assert.deepEqual((await prepare(dir, { cpus: 1, transport: 'mmio' })).file, mmio);
    assert.deepEqual((await prepare(dir, {})).file, mmio);
    assert.deepEqual((await prepare(dir, { transport: 'pci' })).file, {
      format: 1,
      cpus: 1,
      chardev: 'pipe',
    });
  });

  it('creates private files also with a umask that removes all permissions', async (context) => {
    const dir = scratchDir(context);
    const before = process.umask(0o777);
    try {
      await prepare(dir, { cpus: 1 }, 'web');
    } finally {
      process.umask(before);
    }
    assert.equal(mode(join(dir, 'web')), 0o700);
    assert.equal(mode(join(dir, 'web', 'agent-ctl-path.in')), 0o1600);
  });

  it('changes nothing when run again, and keeps the earlier settings', async (context) => {
    const dir = scratchDir(context);
    await prepare(dir, { cpus: 2 });
    const inode = statSync(join(dir, 'trace-path-cpu1.out')).ino;
    const again = await prepare(dir);
    assert.deepEqual(again.changes, { made: [], mended: [], removed: [] });
    assert.equal(again.file.cpus, 2);
    assert.equal(statSync(join(dir, 'trace-path-cpu1.out')).ino, inode);
    assert.equal((await prepare(join(dir, 'other'))).file.cpus, 3, 'the default is asked');
  });

  it('fixes modes, missing files and an invalid guest.json', async (context) => {
    const dir = scratchDir(context);
    await prepare(dir, { cpus: 1 });
    chmodSync(dir, 0o755);
    chmodSync(join(dir, 'trace-path-cpu0.in'), 0o644);
    rmSync(join(dir, 'trace-path-cpu0.out'));
    writeFileSync(join(dir, 'guest.json'), '{"format":1,');
    const { changes } = await prepare(dir, { cpus: 1 });
    assert.deepEqual(changes.mended, ['.', 'trace-path-cpu0.in']);
    assert.deepEqual(changes.made, ['trace-path-cpu0.out', 'guest.json']);
    assert.equal(mode(dir), 0o700);
    assert.equal(mode(join(dir, 'trace-path-cpu0.in')), 0o1600);
    assert.equal(JSON.parse(readFileSync(join(dir, 'guest.json'), 'utf8')).cpus, 1);
  });

  it('removes ports that the guest no longer has, and no files that only look similar', async (context) => {
    const dir = scratchDir(context);
    await prepare(dir, { cpus: 3 });
    writeFileSync(join(dir, 'trace-path-cpu7.out'), 'recorded by somebody');
    makeFifo(join(dir, 'mine.in'), 0o600);
    const fewer = await prepare(dir, { cpus: 2 });
    assert.deepEqual(fewer.changes.removed.sort(), ['trace-path-cpu2.in', 'trace-path-cpu2.out']);
    const sockets = await prepare(dir, { chardev: 'socket' });
    assert.equal(sockets.changes.removed.length, 6);
    assert.deepEqual(readdirSync(dir).sort(), ['guest.json', 'lock', 'mine.in', 'trace-path-cpu7.out']);
  });

  it('reports a file system error in one line', async (context) => {
    const dir = join(scratchDir(context), 'ports');
    const location = { dir, guest: undefined };
    const options = { ...unsaid, remove: false, location };
    const removesIt = (): Promise<number> => {
      rmSync(dir, { recursive: true });
      return Promise.resolve(1);
    };
    const refused = failure(exitCode.failed, /^cannot write to .*ports: ENOENT$/);
    await assert.rejects(prepareGuest(options, removesIt), refused);
  });

  it('removes no port of a running guest', async (context) => {
    const dir = scratchDir(context);
    await prepare(dir, { cpus: 2 });
    const qemu = openSync(join(dir, 'agent-ctl-path.in'), constants.O_RDWR | constants.O_NONBLOCK);
    const running = failure(exitCode.failed, /is running and has these ports/, /--remove --apply/);
    await assert.rejects(prepare(dir, { cpus: 1 }), running);
    await assert.rejects(prepare(dir, { chardev: 'socket' }), running);
    assert.ok(existsSync(join(dir, 'trace-path-cpu1.out')));
    assert.equal((await prepare(dir, { cpus: 3 })).changes.removed.length, 0, 'more of them do no harm');
    closeSync(qemu);
    assert.equal((await prepare(dir, { cpus: 1 })).changes.removed.length, 4);
  });

  it('refuses a file in place of a FIFO, and leaves it', async (context) => {
    const dir = scratchDir(context);
    writeFileSync(join(dir, 'victim'), 'v', { mode: 0o644 });
    for (const [name, make] of [
      ['file', (path: string) => writeFileSync(path, '1\n')],
      ['link', (path: string) => symlinkSync('../victim', path)],
      ['directory', (path: string) => mkdirSync(path)],
    ] as const) {
      mkdirSync(join(dir, name), { mode: 0o700 });
      make(join(dir, name, 'agent-ctl-path.in'));
      await assert.rejects(
        prepare(join(dir, name)),
        failure(exitCode.failed, /agent-ctl-path\.in is in the way: it is not a FIFO$/, /rm /),
      );
    }
    assert.equal(mode(join(dir, 'victim')), 0o644);
  });

  it('does not change the mode of a directory with other files', async (context) => {
    const dir = scratchDir(context);
    chmodSync(dir, 0o755);
    writeFileSync(join(dir, 'thesis.txt'), '');
    await assert.rejects(
      prepare(dir),
      failure(
        exitCode.failed,
        /contains files that are not trace-host's, such as "thesis\.txt"/,
        /--dir of its own/,
      ),
    );
    await assert.rejects(prepare(dir, {}, 'web'), failure(exitCode.failed, /thesis/));
    assert.equal(mode(dir), 0o755);
    assert.deepEqual(readdirSync(dir), ['thesis.txt']);
    chmodSync(dir, 0o700);
    await prepare(dir);
    assert.ok(existsSync(join(dir, 'thesis.txt')));
  });

  it('recognises a directory of directories, such as /home', async (context) => {
    const dir = scratchDir(context);
    mkdirSync(join(dir, 'alice', 'guest.json.d'), { recursive: true });
    chmodSync(dir, 0o755);
    const refused = failure(exitCode.failed, /contains files that are not trace-host's, such as "alice"/);
    await assert.rejects(prepare(dir), refused);
    await assert.rejects(prepare(dir, {}, 'web'), refused);
    assert.equal(mode(dir), 0o755);
    assert.deepEqual(readdirSync(dir), ['alice']);
    rmSync(join(dir, 'alice'), { recursive: true });
    await prepare(dir, {}, 'web');
    mkdirSync(join(dir, 'by-hand'));
    makeFifo(join(dir, 'by-hand', 'agent-ctl-path.in'), 0o600);
    chmodSync(dir, 0o755);
    await prepare(dir);
    assert.equal(mode(dir), 0o700);
  });

  it("gives QEMU's group access, but no more than necessary", {
    skip: process.getuid?.() === 0 ? false : 'only root can give files to any group',
  }, async (context) => {
    const dir = join(scratchDir(context), 'ports');
    await prepare(dir, { cpus: 1, group: '54321' }, 'web');
    const { gid } = statSync(join(dir, 'web', 'trace-path-cpu0.out'));
    assert.deepEqual([gid, statSync(join(dir, 'web')).gid], [54321, 54321]);
    const modes = ['.', 'web', 'web/trace-path-cpu0.out', 'web/guest.json'].map((name) =>
      mode(join(dir, name)).toString(8),
    );
    assert.deepEqual(modes, ['711', '710', '1660', '1600']);
    assert.deepEqual((await prepare(dir, {}, 'web')).changes, { made: [], mended: [], removed: [] });
    await assert.rejects(
      prepare(dir, { group: 'no-such-group' }, 'web'),
      failure(exitCode.usage, /no such group: "no-such-group"/),
    );
  });

  it("refuses sockets whose path exceeds the kernel's limit", async (context) => {
    const dir = join(scratchDir(context), 'x'.repeat(90));
    await assert.rejects(
      prepare(dir, { chardev: 'socket' }),
      failure(exitCode.usage, /longer than a socket's path/, /shorter --dir/),
    );
    await assert.rejects(prepare('/tmp/a\nb'), failure(exitCode.usage, /control characters/));
  });

  it('removes nothing while another process gives orders', async (context) => {
    const dir = scratchDir(context);
    await prepare(dir, { cpus: 2 });
    const { pid } = await lockElsewhere(context, dir);
    const before = readdirSync(dir);
    const refused = failure(exitCode.failed, new RegExp(`\\(pid ${pid}\\) is using the control port`));
    await assert.rejects(prepare(dir, { cpus: 1 }), refused);
    await assert.rejects(removeGuest({ dir, guest: undefined }), refused);
    assert.deepEqual(readdirSync(dir), before);
    assert.deepEqual((await prepare(dir)).changes, { made: [], mended: [], removed: [] });
  });
});

describe('removeGuest', () => {
  it('removes everything that setup created, including the directory', async (context) => {
    const dir = join(scratchDir(context), 'ports');
    await prepare(dir, { cpus: 2 }, 'web');
    assert.equal((await removeGuest({ dir, guest: 'web' }))?.directory, true);
    assert.equal(existsSync(join(dir, 'web')), false);
    assert.equal(await removeGuest({ dir, guest: 'web' }), undefined);
  });

  it('removes nothing that a QEMU has open', async (context) => {
    const dir = scratchDir(context);
    await prepare(dir, { cpus: 1 });
    const qemu = openSync(join(dir, 'agent-ctl-path.in'), constants.O_RDWR | constants.O_NONBLOCK);
    await assert.rejects(
      removeGuest({ dir, guest: undefined }),
      failure(exitCode.failed, /is running and has these ports/, /--remove --apply/),
    );
    assert.ok(existsSync(join(dir, 'trace-path-cpu0.out')));
    closeSync(qemu);
    assert.equal((await removeGuest({ dir, guest: undefined }))?.directory, true);
  });

  it('keeps files of other programs', async (context) => {
    const dir = scratchDir(context);
    await prepare(dir, { cpus: 1 });
    await prepare(dir, { cpus: 1 }, 'web');
    writeFileSync(join(dir, 'trace-path-cpu9.out'), 'recorded');
    makeFifo(join(dir, 'mine'), 0o600);
    const removed = await removeGuest({ dir, guest: undefined });
    assert.equal(removed?.directory, false);
    assert.deepEqual([...(removed?.left ?? [])].sort(), ['mine', 'trace-path-cpu9.out', 'web']);
    assert.deepEqual(readdirSync(dir).sort(), ['mine', 'trace-path-cpu9.out', 'web']);
  });
});
