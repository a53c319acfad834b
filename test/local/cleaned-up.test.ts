import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { GuestDir } from '../../src/host/guest-dir/guest-dir.ts';
import { prepareGuest } from '../../src/host/setup/prepare.ts';
import { makeFifo } from '../../src/native/io/fifo.ts';
import { until } from './harness/until.ts';

const skip =
  spawnSync('systemd-tmpfiles', ['--version']).status === 0 ? false : 'there is no systemd-tmpfiles here';

const fifos = ['agent-ctl-path', 'trace-path-cpu0'].flatMap((port) => [`${port}.in`, `${port}.out`]);

/**
 * A directory in which systemd-tmpfiles removes files older than a second, as Debian 13 does in /tmp after ten
 * days.
 */
function agedDir(context: TestContext): { readonly dir: string; readonly clean: () => Promise<void> } {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'virtio-trace-aged-')));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const dir = join(root, 'aged');
  const config = join(root, 'age.conf');
  writeFileSync(config, `e ${dir} - - - 1s\n`);
  const clean = async (): Promise<void> => {
    const witness = join(dir, 'witness');
    writeFileSync(witness, 'nobody needs this');
    await until(
      'the clean-up',
      () => {
        assert.equal(spawnSync('systemd-tmpfiles', ['--clean', config]).status, 0);
        return !existsSync(witness);
      },
      30_000,
    );
  };
  return { dir, clean };
}

describe('a guest that is not traced for a long time', { skip }, () => {
  it('keeps its FIFOs although old files are cleaned up', async (context) => {
    const { dir, clean } = agedDir(context);
    const options = {
      transport: undefined,
      group: undefined,
      format: undefined,
      applyTo: undefined,
      remove: false,
    };
    const location = { dir, guest: undefined };
    await prepareGuest({ ...options, location, cpus: 1, chardev: 'pipe' }, () => Promise.resolve(1));
    const named = { dir, guest: 'web' };
    await prepareGuest({ ...options, location: named, cpus: 1, chardev: 'pipe' }, () => Promise.resolve(1));
    await clean();
    assert.deepEqual(readdirSync(dir).toSorted(), [...fifos, 'guest.json', 'web'].toSorted());
    assert.deepEqual(readdirSync(join(dir, 'web')).toSorted(), [...fifos, 'guest.json'].toSorted());
  });

  it('created manually keeps them once trace-host has sent it an order', async (context) => {
    const { dir, clean } = agedDir(context);
    spawnSync('mkdir', ['-m', '700', dir]);
    for (const name of fifos) makeFifo(join(dir, name), 0o600);
    const guest = GuestDir.open({ dir, guest: undefined });
    context.after(() => guest.close());
    guest.lock()();
    await clean();
    for (const name of fifos) assert.ok(statSync(join(dir, name)).isFIFO());
  });
});
