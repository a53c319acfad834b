import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { cachedTables, queryCacheDir } from '../../../../src/export/query/query-cache.ts';
import { scratchDir } from '../../trace/samples.ts';

interface Scene {
  readonly trace: string;
  readonly cache: string;
  /** Asks for the tables. @returns their directory, and whether they were made anew */
  readonly get: (
    choice?: string,
    traces?: string | readonly string[],
  ) => Promise<{ readonly dir: string; readonly isNew: boolean }>;
}

function scene(test: TestContext): Scene {
  const dir = scratchDir(test);
  const trace = join(dir, 'trace.dat');
  const cache = join(dir, 'cache/query');
  writeFileSync(trace, 'one');
  const get: Scene['get'] = async (choice = '', path = trace) => {
    let isNew = false;
    const made = await cachedTables(
      typeof path === 'string' ? [path] : path,
      choice,
      (into) => {
        isNew = true;
        writeFileSync(join(into, 'table'), 'x');
        return Promise.resolve();
      },
      cache,
    );
    return { dir: made, isNew };
  };
  return { trace, cache, get };
}

describe('the cache of tables', () => {
  it('keeps them until the trace changes, and then replaces them', async (test) => {
    const { trace, cache, get } = scene(test);
    const first = await get();
    assert.deepEqual(
      [first.isNew, statSync(cache).mode & 0o777, statSync(first.dir).mode & 0o777],
      [true, 0o700, 0o700],
    );
    assert.deepEqual(await get(), { dir: first.dir, isNew: false });
    appendFileSync(trace, 'more');
    const second = await get();
    assert.ok(second.isNew && second.dir !== first.dir);
    assert.deepEqual(readdirSync(cache), [second.dir.slice(cache.length + 1)]);
    utimesSync(trace, 1, 1);
    assert.ok((await get()).isNew, 'another time');
  });

  it('keeps those of a choice of events, and of a link, apart or together', async (test) => {
    const { trace, cache, get } = scene(test);
    const all = await get();
    const some = await get('sched');
    assert.ok(some.isNew);
    assert.equal(readdirSync(cache).length, 2);
    const link = join(dirname(trace), 'link');
    symlinkSync(trace, link);
    assert.deepEqual(await get('', link), { dir: all.dir, isNew: false });
  });

  it('sees a change of any file of a recording', async (test) => {
    const { trace, get } = scene(test);
    const recording = join(dirname(trace), 'a.recording');
    mkdirSync(recording);
    writeFileSync(join(recording, 'cpu0.raw'), 'x');
    assert.ok((await get('', recording)).isNew);
    assert.ok(!(await get('', recording)).isNew);
    appendFileSync(join(recording, 'cpu0.raw'), 'y');
    assert.ok((await get('', recording)).isNew);
  });

  it('keeps those of several traces until one of them changes', async (test) => {
    const { trace, cache, get } = scene(test);
    const other = `${trace}-2`;
    writeFileSync(other, 'two');
    const alone = await get();
    const both = await get('', [trace, other]);
    assert.ok(both.isNew);
    assert.deepEqual(await get('', [trace, other]), { dir: both.dir, isNew: false });
    assert.ok((await get('', [other, trace])).isNew, 'the first one is the host');
    appendFileSync(other, 'more');
    assert.ok((await get('', [trace, other])).isNew);
    assert.deepEqual(await get(), { dir: alone.dir, isNew: false });
    assert.equal(readdirSync(cache).length, 3, 'the tables of the older state are gone');
  });

  it('removes the least recently used', async (test) => {
    const { trace, cache, get } = scene(test);
    const first = await get();
    utimesSync(first.dir, 1, 1);
    for (let index = 0; index < 65; index++) {
      const other = `${trace}-${index}`;
      writeFileSync(other, 'x');
      await get('', other);
    }
    const names = readdirSync(cache);
    assert.equal(names.length, 64);
    assert.ok(!names.includes(first.dir.slice(cache.length + 1)));
  });

  it('leaves nothing behind when the tables cannot be made', async (test) => {
    const { trace, cache } = scene(test);
    const failing = cachedTables([trace], '', () => Promise.reject(new TypeError('no')), cache);
    await assert.rejects(failing, { message: 'no' });
    assert.deepEqual(readdirSync(cache), []);
  });

  it('is not a directory that others can use', async (test) => {
    const { cache, get } = scene(test);
    mkdirSync(cache, { recursive: true });
    chmodSync(cache, 0o755);
    await assert.rejects(get(), { name: 'Failure', message: /not a directory that only this user can use/ });
  });

  it('is where the XDG specification says', () => {
    assert.equal(queryCacheDir({ XDG_CACHE_HOME: '/c' }), '/c/virtio-trace/query');
    assert.match(queryCacheDir({ XDG_CACHE_HOME: 'relative' }), /^\/.*\/\.cache\/virtio-trace\/query$/);
  });
});
