import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../../../src/base/failure.ts';
import { standstill } from '../../../../src/host/qemu/guest-trouble.ts';
import { holdersBelow, isQemu } from '../../../../src/host/qemu/holders.ts';
import { qmpSockets, runStateOf } from '../../../../src/host/qemu/run-state.ts';
import { makeFifo } from '../../../../src/native/io/fifo.ts';
import { scratchDir } from '../../trace/samples.ts';

describe('the holders of a directory', () => {
  function own(dir: string): unknown {
    return holdersBelow(dir).find(({ pid }) => pid === process.pid)?.files;
  }

  it('are found by their open files, including removed or replaced ones', (test) => {
    const dir = scratchDir(test);
    const fifo = join(dir, 'agent-ctl-path.in');
    makeFifo(fifo, 0o600);
    const fd = openSync(fifo, 'r+');
    test.after(() => closeSync(fd));
    assert.deepEqual(own(dir), [{ name: 'agent-ctl-path.in', isRemoved: false }]);
    rmSync(fifo);
    assert.deepEqual(own(dir), [{ name: 'agent-ctl-path.in', isRemoved: true }]);
    makeFifo(fifo, 0o600);
    assert.deepEqual(own(dir), [{ name: 'agent-ctl-path.in', isRemoved: true }], 'replaced');
    rmSync(dir, { recursive: true });
    assert.deepEqual(own(dir), [{ name: 'agent-ctl-path.in', isRemoved: true }], 'with its directory');
    mkdirSync(dir);
  });

  it('are found by their sockets', async (test) => {
    const dir = scratchDir(test);
    await listen(test, join(dir, 'agent-ctl-path.socket'), () => {});
    assert.deepEqual(own(dir), [{ name: 'agent-ctl-path.socket', isRemoved: false }]);
    rmSync(join(dir, 'agent-ctl-path.socket'));
    assert.deepEqual(own(dir), [{ name: 'agent-ctl-path.socket', isRemoved: true }]);
  });

  it('are none for a directory whose name only begins the same', (test) => {
    const dir = scratchDir(test);
    mkdirSync(`${dir}/web2`);
    const fd = openSync(`${dir}/web2/file`, 'w');
    test.after(() => closeSync(fd));
    assert.deepEqual(holdersBelow(`${dir}/web`), []);
  });

  it('are QEMUs if their program is one', () => {
    const programs = {
      '/usr/bin/qemu-system-x86_64': true,
      'qemu-system-aarch64': true,
      '/usr/libexec/qemu-kvm': true,
    };
    const others = { '/usr/bin/qemu-img': false, cat: false, '/usr/bin/node': false };
    for (const [program, is] of Object.entries({ ...programs, ...others }))
      assert.equal(isQemu({ pid: 1, argv: [program], files: [] }), is, program);
  });
});

async function listen(
  test: TestContext,
  path: string,
  greet: (write: (text: string) => void) => void,
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    greet((text) => socket.write(text));
    socket.on('data', (bytes: Buffer) => {
      const { execute, id } = Object(JSON.parse(bytes.toString()));
      const answer = execute === 'query-status' ? { status: 'guest-panicked', running: false } : {};
      socket.write(`${JSON.stringify({ id, return: answer })}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  test.after(() => server.close());
  return server;
}

describe("a guest's state", () => {
  it('is queried on the QMP sockets of the command line', () => {
    const paths = (line: string): string[] => qmpSockets(line.split(' '));
    assert.deepEqual(paths('qemu -qmp unix:/run/a.qmp,server=on,wait=off'), ['/run/a.qmp']);
    assert.deepEqual(paths('qemu -chardev socket,id=m,path=/run/b,server=on -mon chardev=m,mode=control'), [
      '/run/b',
    ]);
    assert.deepEqual(paths('qemu -chardev socket,id=m,path=/run/b -mon chardev=m,mode=readline'), []);
    // libvirt passes a descriptor; a relative path is relative to QEMU's directory, not to this process's
    assert.deepEqual(paths('qemu -chardev socket,id=m,fd=26 -mon m,mode=control'), []);
    assert.deepEqual(paths('qemu -qmp unix:a.qmp -qmp tcp:localhost:4444 -qmp'), []);
  });

  it('is what QEMU reports', async (test) => {
    const path = join(scratchDir(test), 'qmp');
    await listen(test, path, (write) => write('{"QMP":{}}\n'));
    const state = await runStateOf({ pid: process.pid, argv: ['qemu', '-qmp', `unix:${path}`] });
    assert.deepEqual(state, { kind: 'known', state: 'guest-panicked' });
  });

  it('is unknown, after a short wait, when another program is connected', async (test) => {
    const path = join(scratchDir(test), 'qmp');
    await listen(test, path, () => {});
    const state = await runStateOf({ pid: process.pid, argv: ['qemu', '-qmp', `unix:${path}`] });
    assert.equal(state.kind, 'unknown');
  });

  it('is described in words with the remedy, unless the guest runs', () => {
    const guest = { path: '/d', label: 'guest web', options: ' --guest web' };
    const say = (state: string) => standstill(guest, 7, { kind: 'known', state });
    for (const state of ['running', 'constructor', '__proto__']) assert.equal(say(state), undefined);
    assert.match(say('paused')?.message ?? '', /^guest web is paused \(QEMU pid 7/);
    assert.match(say('guest-panicked')?.message ?? '', /kernel no longer runs/);
    for (const state of ['internal-error', 'postmigrate', 'io-error', 'shutdown', 'save-vm', 'prelaunch']) {
      assert.equal(say(state)?.exitCode, exitCode.missing);
      assert.notEqual(say(state)?.remedy, '');
    }
    assert.match(standstill(guest, 7, { kind: 'process-stopped' })?.remedy ?? '', /kill -CONT 7/);
  });
});
