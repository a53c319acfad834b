import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { exitCode } from '../../../../src/base/failure.ts';
import { GuestDir } from '../../../../src/host/guest-dir/guest-dir.ts';
import { readGuestFile, writeGuestFile } from '../../../../src/host/guest-dir/guest-file.ts';
import { defaultDir, holdingDir } from '../../../../src/host/guest-dir/location.ts';
import { OwnedDir } from '../../../../src/host/guest-dir/owned-dir.ts';
import { makeFifo } from '../../../../src/native/io/fifo.ts';
import { failure, lockElsewhere, scratchDir } from './scratch.ts';

describe('guest.json', () => {
  it('is read as it was written', (context) => {
    const dir = OwnedDir.open(scratchDir(context));
    assert.equal(readGuestFile(dir), undefined);
    const file = { format: 1, cpus: 3, chardev: 'socket', transport: 'mmio', group: 'kvm' } as const;
    writeFileSync(dir.entry('guest.json.new'), 'left by a killed run');
    writeGuestFile(dir, { format: 1, cpus: 300, chardev: 'pipe' });
    writeGuestFile(dir, file);
    assert.deepEqual(readGuestFile(dir), file);
    assert.equal(statSync(dir.entry('guest.json')).mode & 0o777, 0o600);
    assert.equal(dir.look('guest.json.new'), undefined);
    dir.close();
  });

  it('is refused when its content is not valid', (context) => {
    const dir = OwnedDir.open(scratchDir(context));
    const texts = [
      '',
      'null',
      '[]',
      '{"format":2,"cpus":1,"chardev":"pipe"}',
      '{"format":1,"cpus":0,"chardev":"pipe"}',
    ];
    texts.push('{"format":1,"cpus":8193,"chardev":"pipe"}', '{"format":1,"cpus":1,"chardev":"tcp"}');
    texts.push(
      '{"format":1,"cpus":1,"chardev":"pipe","group":1}',
      '{"format":1,"cpus":1,"chardev":"pipe","transport":"usb"}',
      '{"format":1,"cpus":1.5,"chardev":"pipe"}',
    );
    for (const text of texts) {
      writeFileSync(dir.entry('guest.json'), text);
      assert.throws(
        () => readGuestFile(dir),
        failure(exitCode.failed, /^cannot use .*guest\.json: /, /setup again/),
        text,
      );
    }
    dir.close();
  });

  it('is not followed if it is a link, and a FIFO in its place does not block', (context) => {
    const base = scratchDir(context);
    for (const [name, make] of [
      ['linked', (path: string) => symlinkSync('/etc/passwd', path)],
      ['fifo', (path: string) => makeFifo(path, 0o600)],
      ['directory', (path: string) => mkdirSync(path)],
    ] as const) {
      mkdirSync(join(base, name));
      make(join(base, name, 'guest.json'));
      const dir = OwnedDir.open(join(base, name));
      assert.throws(() => readGuestFile(dir), failure(exitCode.failed, /^cannot use .*guest\.json: /), name);
      dir.close();
    }
  });
});

describe('GuestDir', () => {
  function made(dir: string, ...files: string[]): void {
    for (const file of files) makeFifo(join(dir, file), 0o600);
  }

  it('accepts a directory that was created manually with mkfifo', (context) => {
    const dir = scratchDir(context);
    made(dir, 'agent-ctl-path.in', 'agent-ctl-path.out');
    for (const cpu of [10, 0, 2]) made(dir, `trace-path-cpu${cpu}.in`, `trace-path-cpu${cpu}.out`);
    writeFileSync(join(dir, 'trace-path-cpu01.out'), '');
    const guest = GuestDir.open({ dir, guest: undefined });
    assert.deepEqual([guest.chardev, guest.cpus], ['pipe', [0, 2, 10]]);
    assert.equal(guest.label, `the guest in ${dir}`);
    guest.close();
  });

  it('names the command that creates what is missing', (context) => {
    const dir = scratchDir(context);
    mkdirSync(join(dir, 'web'));
    assert.throws(
      () => GuestDir.open({ dir, guest: 'web' }),
      failure(
        exitCode.missing,
        /has no control port file/,
        new RegExp(`^run trace-host setup --guest web --dir ${dir}$`),
      ),
    );
  });

  it('never waits for a QEMU that is not running', (context) => {
    const dir = scratchDir(context);
    made(dir, 'agent-ctl-path.in', 'agent-ctl-path.out');
    const guest = GuestDir.open({ dir, guest: undefined });
    assert.throws(
      () => guest.openFifo('agent-ctl-path', 'in'),
      failure(exitCode.missing, /is not running: no QEMU has .*agent-ctl-path\.in open/, /trace-host setup/),
    );
    closeSync(guest.openFifo('agent-ctl-path', 'out'));
    const qemu = openSync(join(dir, 'agent-ctl-path.in'), constants.O_RDWR | constants.O_NONBLOCK);
    closeSync(guest.openFifo('agent-ctl-path', 'in'));
    closeSync(qemu);
    assert.throws(
      () => guest.openFifo('trace-path-cpu0', 'out'),
      failure(exitCode.missing, /trace-path-cpu0\.out does not exist$/),
    );
    guest.close();
  });

  it('opens only FIFOs', (context) => {
    const dir = scratchDir(context);
    made(dir, 'agent-ctl-path.in', 'agent-ctl-path.out');
    writeFileSync(join(dir, 'trace-path-cpu0.out'), '');
    symlinkSync('agent-ctl-path.out', join(dir, 'trace-path-cpu1.out'));
    const guest = GuestDir.open({ dir, guest: undefined });
    assert.throws(
      () => guest.openFifo('trace-path-cpu0', 'out'),
      failure(exitCode.missing, /is not a FIFO$/),
    );
    assert.throws(() => guest.openFifo('trace-path-cpu1', 'out'), failure(exitCode.failed, /ELOOP/, /^/));
    guest.close();
  });

  it('lets one process at a time give orders, and names that process to others', async (context) => {
    const dir = scratchDir(context);
    made(dir, 'agent-ctl-path.in', 'agent-ctl-path.out');
    const holder = await lockElsewhere(context, dir);
    const guest = GuestDir.open({ dir, guest: undefined });
    assert.throws(
      () => guest.lock(),
      failure(
        exitCode.failed,
        new RegExp(`\\(pid ${holder.pid}\\) is using the control port of the guest in`),
      ),
    );
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const unlock = guest.lock();
    assert.equal(readFileSync(join(dir, 'lock'), 'utf8'), `${process.pid}\n`);
    unlock();
    guest.close();
  });

  it('waits for a process that uses the control port briefly', async (context) => {
    const dir = scratchDir(context);
    made(dir, 'agent-ctl-path.in', 'agent-ctl-path.out');
    const holder = await lockElsewhere(context, dir, true);
    const guest = GuestDir.open({ dir, guest: undefined });
    assert.equal(guest.lockedBy(), holder.pid);
    // another process, because the wait blocks this one
    const killer = spawn('sh', ['-c', `sleep 0.3; kill -9 ${holder.pid}`], { stdio: 'ignore' });
    guest.lock()();
    assert.equal(guest.lockedBy(), undefined);
    guest.close();
    await once(killer, 'exit');
  });
});

describe('a guest of the former default directory', () => {
  it('is found, unless it belongs to another user', (context) => {
    const former = scratchDir(context);
    const find = (guest?: string) => holdingDir({ dir: defaultDir, guest }, former);
    assert.equal(find('vt-test-web'), defaultDir);
    mkdirSync(join(former, 'vt-test-web'));
    assert.equal(find('vt-test-web'), defaultDir, 'an empty directory is no guest');
    writeFileSync(join(former, 'vt-test-web', 'guest.json'), '{}');
    assert.equal(find('vt-test-web'), former);
    assert.equal(holdingDir({ dir: '/elsewhere', guest: 'vt-test-web' }, former), '/elsewhere');
    if (process.geteuid?.() !== 0) return;
    chownSync(join(former, 'vt-test-web'), 12_345, 12_345);
    assert.equal(find('vt-test-web'), defaultDir);
  });
});
