import assert from 'node:assert/strict';
import { fstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CappedFile, joinCapped, keptFiles } from '../../../../src/host/record/raw-file.ts';
import { scratchDir } from '../samples.ts';

describe('CappedFile', () => {
  it('whose directory is gone says so, and can be closed', (test) => {
    const dir = scratchDir(test);
    const file = new CappedFile(join(dir, 'cpu0.raw'), 8192, 4096);
    const { fd } = file;
    rmSync(dir, { recursive: true });
    assert.throws(() => file.took(4096), { code: 'ENOENT' });
    file.close();
    assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  });
});

describe('joinCapped', () => {
  it('after a kill between the two steps of beginning anew: the older file is all there is', async (test) => {
    const dir = scratchDir(test);
    const path = join(dir, 'cpu0.raw');
    writeFileSync(`${path}.older`, 'pages');
    await joinCapped(path);
    assert.deepEqual(readdirSync(dir), ['cpu0.raw']);
    assert.equal(readFileSync(path, 'utf8'), 'pages');
  });

  it('done twice does nothing more', async (test) => {
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
    it(`goes on after a kill ${when}, and until then nothing is seen twice`, async (test) => {
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
