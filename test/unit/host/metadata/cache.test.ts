import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { MetadataCache } from '../../../../src/host/metadata/cache.ts';
import { packContents } from '../../../../src/host/metadata/pack.ts';
import { scratchDir } from '../../trace/samples.ts';

const contents = new Map([['events/header_page', Buffer.from('page')]]);

describe('MetadataCache', () => {
  it("keeps a guest's archive for the next recording, readable only by this user", async (test) => {
    const home = join(scratchDir(test), '.cache');
    const cache = new MetadataCache('/run/guests/web', home);
    assert.equal(await cache.read(), undefined);
    cache.write(await packContents(contents));
    assert.deepEqual(await new MetadataCache('/run/guests/web', home).read(), contents);
    const dir = join(home, 'trace-host');
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    const [name = '', ...others] = readdirSync(dir);
    assert.deepEqual(others, []);
    assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600);
  });

  it("does not return another guest's archive", async (test) => {
    const home = scratchDir(test);
    new MetadataCache('/run/guests/web', home).write(await packContents(contents));
    for (const other of ['/run/guests/web2', '/run/guests', '/run/guests/web/', ''])
      assert.equal(await new MetadataCache(other, home).read(), undefined);
  });

  it('ignores a damaged file', async (test) => {
    const home = scratchDir(test);
    const cache = new MetadataCache('/g', home);
    for (const bytes of [
      Buffer.from('garbage'),
      (await packContents(contents)).subarray(0, 40),
      Buffer.alloc(0),
    ]) {
      cache.write(bytes);
      assert.equal(await cache.read(), undefined);
    }
    cache.write(await packContents(contents));
    assert.deepEqual(await cache.read(), contents);
  });

  it('is not used if other users could have changed it', async (test) => {
    const home = scratchDir(test);
    const cache = new MetadataCache('/g', home);
    cache.write(await packContents(contents));
    const dir = join(home, 'trace-host');
    chmodSync(dir, 0o777);
    assert.equal(await cache.read(), undefined);
    chmodSync(dir, 0o700);
    assert.deepEqual(await cache.read(), contents);

    const elsewhere = scratchDir(test);
    symlinkSync(dir, join(elsewhere, 'trace-host'));
    const linked = new MetadataCache('/g', elsewhere);
    assert.equal(await linked.read(), undefined);
    linked.write(await packContents(new Map()));
    assert.deepEqual(await cache.read(), contents, 'nothing was written through the link');

    const open = scratchDir(test);
    chmodSync(open, 0o777);
    new MetadataCache('/g', open).write(await packContents(contents));
    assert.deepEqual(readdirSync(open), []);
  });

  it('does nothing when it cannot be written', async (test) => {
    const home = scratchDir(test);
    writeFileSync(join(home, 'trace-host'), 'a file');
    const cache = new MetadataCache('/g', home);
    cache.write(await packContents(contents));
    assert.equal(await cache.read(), undefined);
    new MetadataCache('/g', '/proc/no/such').write(await packContents(contents));
  });

  it('deletes the oldest files beyond its size, but no files of other programs', (test) => {
    const home = scratchDir(test);
    const dir = join(home, 'trace-host');
    mkdirSync(dir, { mode: 0o700 });
    writeFileSync(join(dir, 'notes'), '');
    const large = Buffer.alloc(15 << 20);
    for (const guest of [1, 2, 3, 4, 5, 6]) {
      new MetadataCache(`/g${guest}`, home).write(large);
      for (const name of readdirSync(dir)) {
        const { mtimeMs } = statSync(join(dir, name));
        utimesSync(join(dir, name), mtimeMs / 1000 - 10, mtimeMs / 1000 - 10);
      }
    }
    const left = readdirSync(dir);
    assert.ok(left.includes('notes'));
    assert.equal(left.length, 5, '4 of 15 MiB are less than 64');
  });
});
