import assert from 'node:assert/strict';
import { fstatSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  CappedFile,
  dropFront,
  firstPageAt,
  GrowingFile,
  joinCapped,
  keptFiles,
  WholeFile,
} from '../../../../src/trace/recording/raw-file.ts';
import { scratchDir } from '../samples.ts';

describe('GrowingFile', () => {
  it('has received what others have written into it, also after it was closed', (test) => {
    const path = join(scratchDir(test), 'cpu0.raw');
    const file = new GrowingFile(openSync(path, 'wx'));
    assert.equal(file.receivedBytes, 0);
    writeFileSync(path, Buffer.alloc(5000));
    assert.equal(file.receivedBytes, 5000);
    file.close();
    assert.equal(file.keptBytes, 5000);
  });
});

describe('WholeFile', () => {
  it('hands its last bytes to the next file, whatever was written before and comes after', (test) => {
    const dir = scratchDir(test);
    const [one, two] = ['one', 'two'].map((name) => new WholeFile(join(dir, name)));
    assert.ok(one && two);
    const put = (file: WholeFile, text: string): void => {
      writeSync(file.fd, text);
      file.took(text.length);
    };
    put(one, 'whole page, part');
    two.appendLast(one, 4);
    one.dropLast(4);
    put(two, ' and rest');
    for (const file of [one, two]) file.close();
    assert.deepEqual([one.receivedBytes, two.receivedBytes], [12, 13]);
    assert.equal(readFileSync(join(dir, 'one'), 'utf8'), 'whole page, ');
    assert.equal(readFileSync(join(dir, 'two'), 'utf8'), 'part and rest');
  });
});

describe('CappedFile', () => {
  it('in a removed directory reports that, and can be closed', (test) => {
    const dir = scratchDir(test);
    const file = new CappedFile(join(dir, 'cpu0.raw'), 8192);
    file.havePages(4096);
    const { fd } = file;
    rmSync(dir, { recursive: true });
    assert.throws(() => file.took(4096), { code: 'ENOENT' });
    file.close();
    assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  });
});

describe('CappedFile whose page size is set later', () => {
  const pageBytes = 8192;
  const put = (file: CappedFile, page: number, bytes: number): void => {
    const chunk = Buffer.alloc(bytes, page);
    assert.ok(bytes <= file.roomBytes);
    writeSync(file.fd, chunk);
    file.took(bytes);
  };

  it('keeps everything until then, and then cuts between pages, whatever was written before', async (test) => {
    for (const [early, late] of [
      [0, 9],
      [1, 8],
      [7, 5],
      [20, 3],
    ] as const) {
      const path = join(scratchDir(test), 'cpu0.raw');
      const file = new CappedFile(path, 4 * pageBytes);
      for (let page = 1; page <= early; page++) put(file, page, pageBytes);
      // a partially received page
      put(file, early + 1, 100);
      assert.equal(file.keptBytes, early * pageBytes + 100, 'nothing is dropped yet');
      file.havePages(pageBytes);
      for (let left = pageBytes - 100; left > 0; ) {
        const bytes = Math.min(left, file.roomBytes, 3000);
        put(file, early + 1, bytes);
        left -= bytes;
      }
      for (let page = early + 2; page <= early + late; page++) put(file, page, pageBytes);
      file.close();
      assert.equal(file.receivedBytes, (early + late) * pageBytes);
      await joinCapped(path);
      const kept = readFileSync(path);
      assert.equal(kept.length, file.keptBytes);
      assert.equal(kept.length % pageBytes, 0);
      const pages = kept.length / pageBytes;
      assert.ok(pages >= 2, `${pages} pages`);
      const newest = Array.from({ length: pages }, (_, index) =>
        Buffer.alloc(pageBytes, early + late - pages + 1 + index),
      );
      assert.ok(kept.equals(Buffer.concat(newest)), 'the newest pages, whole and in order');
    }
  });
});

describe('joinCapped', () => {
  it('after a kill between the two steps of starting a file again: only the older file exists', async (test) => {
    const dir = scratchDir(test);
    const path = join(dir, 'cpu0.raw');
    writeFileSync(`${path}.older`, 'pages');
    await joinCapped(path);
    assert.deepEqual(readdirSync(dir), ['cpu0.raw']);
    assert.equal(readFileSync(path, 'utf8'), 'pages');
  });

  it('changes nothing the second time', async (test) => {
    const dir = scratchDir(test);
    const path = join(dir, 'cpu0.raw');
    writeFileSync(`${path}.older`, 'older ');
    writeFileSync(path, 'newer');
    await joinCapped(path);
    await joinCapped(path);
    assert.deepEqual(readdirSync(dir), ['cpu0.raw']);
    assert.equal(readFileSync(path, 'utf8'), 'older newer');
  });

  for (const [when, files, seen] of [
    ['while it joined', { '.older': 'older ', '': 'newer', '.joined': 'old' }, ['.older', '']],
    ['when the older half was gone', { '': 'newer', '.joined': 'older newer' }, ['.joined']],
  ] as const) {
    it(`continues after a kill ${when}, and until then no byte is returned twice`, async (test) => {
      const dir = scratchDir(test);
      const path = join(dir, 'cpu0.raw');
      for (const [suffix, text] of Object.entries(files)) writeFileSync(`${path}${suffix}`, text);
      assert.deepEqual(
        keptFiles(path),
        seen.map((suffix) => `${path}${suffix}`),
      );
      await joinCapped(path);
      assert.deepEqual(readdirSync(dir), ['cpu0.raw']);
      assert.equal(readFileSync(path, 'utf8'), 'older newer');
    });
  }
});

describe('data from an earlier trace', () => {
  it('is removed from the front of a file, which is never left partial', async (test) => {
    const path = join(scratchDir(test), 'cpu0.raw');
    writeFileSync(path, 'earlier pages');
    await dropFront(path, 8);
    assert.equal(readFileSync(path, 'utf8'), 'pages');
    await dropFront(path, 5);
    assert.equal(readFileSync(path, 'utf8'), '');
    assert.deepEqual(readdirSync(join(path, '..')), ['cpu0.raw']);
  });

  it('ends at a page of this one, also when a cap has dropped part of either', () => {
    // 4 KB pages of an earlier trace, 64 KB pages of this one
    assert.equal(firstPageAt(12_288, 0, 65_536), 12_288);
    assert.equal(firstPageAt(12_288, 8192, 65_536), 4096);
    assert.equal(firstPageAt(12_288, 12_288, 65_536), 0);
    assert.equal(firstPageAt(12_288, 12_288 + 65_536, 65_536), 0);
    assert.equal(firstPageAt(12_288, 65_536, 65_536), 12_288);
    assert.equal(firstPageAt(0, 65_536, 65_536), 0);
  });
});
