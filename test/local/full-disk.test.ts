import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collector, Nowhere, type StreamFault } from '../../src/host/record/collector.ts';
import { WholeFile } from '../../src/trace/recording/raw-file.ts';

const diskBytes = 64 * 1024;
const mayMount = process.geteuid?.() === 0 || process.env['CI'] === 'true';

test('a full disk ends its stream with the reason, keeps the data so far, and does not affect other streams', {
  skip: mayMount ? false : 'mounting a small tmpfs takes root',
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-full-'));
  const disk = join(dir, 'disk');
  execFileSync('mkdir', [disk]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', disk]);
  const collector = new Collector();
  try {
    const ways = ['full', 'good'].map((name) => {
      const path = join(dir, name);
      execFileSync('mkfifo', [path]);
      // opened in both directions, so that it stays open when others close it
      return {
        path,
        fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
        out: openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
      };
    });
    const [full, good] = ways;
    assert.ok(full && good);
    const faults: StreamFault[] = [];
    const file = new WholeFile(join(disk, 'cpu0.raw'));
    const nowhere = new Nowhere();
    collector.add({ fd: full.fd, chardev: 'pipe', file, failed: (fault) => faults.push(fault) });
    collector.add({ fd: good.fd, chardev: 'pipe', file: nowhere, failed: (fault) => faults.push(fault) });

    const chunk = Buffer.alloc(4096, 1);
    for (let tries = 0; faults.length === 0; tries += 1) {
      assert.ok(tries < 2000, 'the disk is never full');
      try {
        writeSync(full.out, chunk);
      } catch {
        // the FIFO is temporarily full
      }
      await sleep(5);
    }
    assert.deepEqual(faults, [{ kind: 'file', code: 'ENOSPC' }]);
    assert.ok(file.receivedBytes > 0);
    assert.equal(statSync(join(disk, 'cpu0.raw')).size, file.receivedBytes);

    writeSync(good.out, chunk);
    for (let tries = 0; nowhere.receivedBytes < chunk.length; tries += 1) {
      assert.ok(tries < 1000, 'the other stream stands still');
      await sleep(5);
    }
    assert.equal(faults.length, 1, 'said once');
    file.close();
    nowhere.close();
    for (const { out } of ways) closeSync(out);
  } finally {
    await collector.close();
    execFileSync('umount', [disk]);
    rmSync(dir, { recursive: true, force: true });
  }
});
