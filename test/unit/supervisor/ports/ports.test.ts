import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { exitCode, Failure } from '../../../../src/base/failure.ts';
import { read, write } from '../../../../src/native/io/transfer.ts';
import { errno } from '../../../../src/native/error.ts';
import { findPort, openPort, PortAway, qemuOptions } from '../../../../src/supervisor/ports/ports.ts';

const exclusiveInstance = `/sys/kernel/tracing/instances/ports-unit-test-${process.pid}`;

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'vt-ports-'));
  execFileSync('mkfifo', [join(dir, 'device')]);
  symlinkSync('device', join(dir, 'port'));
  symlinkSync('nowhere', join(dir, 'unplugged'));
  symlinkSync('loop', join(dir, 'loop'));
});
after(() => rmSync(dir, { recursive: true }));

function failureOf(open: () => unknown): Failure {
  let failure: unknown;
  try {
    open();
  } catch (error) {
    failure = error;
  }
  assert.ok(failure instanceof Failure, `it opened, or failed otherwise: ${String(failure)}`);
  return failure;
}

describe('a port', () => {
  it('is the device to which its link points', () => {
    assert.equal(findPort(dir, 'port'), join(dir, 'device'));
  });

  for (const name of ['missing', 'unplugged', 'loop']) {
    it(`that does not exist may come later, and the error has a remedy: ${name}`, () => {
      assert.equal(findPort(dir, name), undefined);
      const failure = failureOf(() => openPort(dir, name, 'out'));
      assert.ok(failure instanceof PortAway && failure.why === 'missing');
      assert.equal(failure.exitCode, exitCode.missing);
      assert.equal(failure.message, `no port ${name} in ${dir}`);
      assert.ok(failure.remedy.includes(qemuOptions(name)));
    });
  }

  it('in a missing directory may come later', () => {
    assert.ok(failureOf(() => openPort(join(dir, 'none'), 'port', 'both')) instanceof PortAway);
  });

  it('that is a FIFO never blocks, never fails with EPIPE, and is opened read-only for orders', () => {
    const out = openPort(dir, 'port', 'out');
    assert.equal(write(out, Buffer.from('page')), 4);
    const both = openPort(dir, 'port', 'both');
    const got = new Uint8Array(8);
    assert.equal(read(both, got), 4);
    assert.equal(read(both, got), -errno.EAGAIN);
    assert.equal(write(both, got), -errno.EBADF);
    closeSync(out);
    closeSync(both);
  });

  it('that is a directory fails with its errno', () => {
    mkdirSync(join(dir, 'folder'));
    const failure = failureOf(() => openPort(dir, 'folder', 'out'));
    assert.equal(failure.exitCode, exitCode.failed);
    assert.ok(!(failure instanceof PortAway));
    assert.match(failure.message, /^cannot open port folder .*: EISDIR$/);
  });

  it('that this user may not open is reported as such', (context) => {
    writeFileSync(join(dir, 'forbidden'), '', { mode: 0 });
    const program = `
      const { openPort } = await import(${JSON.stringify(new URL('../../../../src/supervisor/ports/ports.js', import.meta.url).href)});
      process.setgid?.(65534); process.setuid?.(65534);
      try { openPort(${JSON.stringify(dir)}, 'forbidden', 'out'); } catch (error) {
        console.log(JSON.stringify([error.exitCode, error.message, error.remedy]));
      }`;
    if (process.geteuid?.() !== 0) return context.skip('only root can become another user');
    execFileSync('chmod', ['755', dir]);
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    assert.deepEqual(JSON.parse(said), [
      exitCode.notPermitted,
      `cannot open port forbidden (${join(dir, 'forbidden')}): permission denied`,
      'run as root',
    ]);
  });

  it('that is held names its holder', async (context) => {
    // A trace_pipe can be opened only once, like a port.
    try {
      mkdirSync(exclusiveInstance);
    } catch (error) {
      return context.skip(`no tracefs instance to be had: ${String(error)}`);
    }
    const pipe = join(exclusiveInstance, 'trace_pipe');
    const holder = spawn('sh', ['-c', 'exec 9<"$1"; echo held; read -r line', 'sh', pipe], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await once(holder.stdout, 'data');
      symlinkSync(pipe, join(dir, 'held'));
      const failure = failureOf(() => closeSync(openPort(dir, 'held', 'out')));
      assert.ok(failure instanceof PortAway && failure.why === 'busy');
      assert.equal(failure.message, `port held (${pipe}) is held by sh (pid ${holder.pid})`);
      assert.equal(failure.remedy, `end it: kill ${holder.pid}`);
    } finally {
      const exit = once(holder, 'exit');
      holder.kill('SIGKILL');
      await exit;
      rmdirSync(exclusiveInstance);
    }
  });
});
