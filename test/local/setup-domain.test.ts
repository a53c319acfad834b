import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exitCode } from '../../src/base/failure.ts';
import { toolSkip } from './harness/skip.ts';

const program = fileURLToPath(new URL('../../bin/trace-host.js', import.meta.url));

interface Ended {
  readonly code: number | string | null;
  readonly stderr: string;
}

/** Runs `setup --apply --domain web` with its own libvirt or PATH; asserts that it has created nothing. */
async function apply(test: TestContext, env: Readonly<Record<string, string>>): Promise<Ended> {
  const root = mkdtempSync(join(tmpdir(), 'virtio-trace-domain-'));
  test.after(() => rmSync(root, { recursive: true, force: true }));
  const dir = join(root, 'ports');
  const args = [program, 'setup', '--apply', '--domain', 'web', '--dir', dir];
  const ended = await new Promise<Ended>((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, ...env } }, (error, _stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    );
  });
  assert.ok(!existsSync(dir), 'nothing was made');
  assert.match(ended.stderr, /^trace-host: .*\n$/, 'one line');
  return ended;
}

describe('setup --apply --domain', () => {
  it('reports that virsh is missing', async (test) => {
    const { code, stderr } = await apply(test, { PATH: '/nonexistent' });
    assert.equal(code, exitCode.missing, stderr);
    assert.match(stderr, /virsh is not installed — install libvirt-clients/);
  });

  it('reports that libvirt is not running', { skip: toolSkip('virsh') }, async (test) => {
    const uri = 'qemu+unix:///system?socket=/nonexistent/libvirt-sock';
    const { code, stderr } = await apply(test, { LIBVIRT_DEFAULT_URI: uri });
    assert.equal(code, exitCode.missing, stderr);
    assert.match(stderr, /cannot connect to libvirt: .*No such file or directory — start libvirtd/);
  });

  it('reports that libvirt has no such domain', { skip: toolSkip('virsh') }, async (test) => {
    // libvirt's test driver is part of its library
    const { code, stderr } = await apply(test, { LIBVIRT_DEFAULT_URI: 'test:///default' });
    assert.equal(code, exitCode.missing, stderr);
    assert.match(stderr, /libvirt has no domain "web" — see virsh list --all/);
  });
});
