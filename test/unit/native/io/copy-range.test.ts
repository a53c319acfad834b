import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { copyRange } from '../../../../src/native/io/copy-range.ts';
import { PollSet } from '../../../../src/native/wait/poll.ts';

const pageBytes = 4096;
const poolThreads = 4; // libuv's default

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

describe('copyRange', () => {
  it('copies correctly although garbage is collected while it waits for its thread', async (test) => {
    assert.ok(typeof collectGarbage === 'function');
    const dir = mkdtempSync(join(tmpdir(), 'copy-range-'));
    test.after(() => rmSync(dir, { recursive: true }));
    const pages = Buffer.alloc(16 * pageBytes).map((_, at) => at / pageBytes);
    writeFileSync(join(dir, 'from'), pages);
    for (let page = 0; page < 5; page += 1) {
      writeFileSync(join(dir, 'to'), '');
      const from = openSync(join(dir, 'from'), 'r');
      const to = openSync(join(dir, 'to'), 'r+');
      const sets = Array.from({ length: poolThreads }, () => new PollSet(1));
      const busy = sets.map((set) => set.wait(50));
      const copying = copyRange(from, page * pageBytes, to, 0, pageBytes);
      await Promise.resolve();
      collectGarbage();
      // reuses the memory of collected garbage
      const others = Array.from({ length: 5000 }, () => BigInt64Array.of(-1n).buffer);
      await Promise.all(busy);
      assert.equal(await copying, pageBytes);
      assert.ok(
        readFileSync(join(dir, 'to')).equals(pages.subarray(page * pageBytes, (page + 1) * pageBytes)),
      );
      assert.equal(others.length, 5000);
      closeSync(from);
      closeSync(to);
    }
  });
});
