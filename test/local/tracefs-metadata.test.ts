// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { collectMetadata, packMetadata } from '../../src/tracefs/metadata/metadata.ts';
import { ownInstance, tracefsSkip } from './tracefs-support.ts';

describe('the metadata archive', { skip: tracefsSkip() }, () => {
  const own = ownInstance();
  let dir = '';
  let archive: Buffer = Buffer.alloc(0);
  const unpacked = (name: string): string => readFileSync(join(dir, name), 'utf8');

  before(async () => {
    own.tracefs.write('trace_clock', 'mono');
    archive = (await packMetadata(own.tracefs)).packed;
    dir = mkdtempSync(join(tmpdir(), 'metadata-'));
    execFileSync('tar', ['-xzf', '-', '-C', dir], { input: archive });
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('has the format of every event that the kernel lists, unchanged', () => {
    const list = (root: string): string[] =>
      execFileSync('find', ['.', '-name', 'format'], { cwd: join(root, 'events'), encoding: 'utf8' })
        .split('\n')
        .toSorted();
    const names = list(own.tracefs.root);
    assert.ok(names.length > 500, 'a kernel has hundreds of events');
    assert.ok(names.includes('./ftrace/print/format'));
    assert.deepEqual(list(dir), names);
    for (const name of names.filter((each) => each !== '')) {
      assert.equal(unpacked(`events/${name}`), readFileSync(join(own.tracefs.root, 'events', name), 'utf8'));
    }
  });

  it('has the other files: some from the instance, task names from the top level', () => {
    const { tracefs } = own;
    for (const name of [
      'events/header_page',
      'events/header_event',
      'buffer_size_kb',
      'buffer_percent',
      'trace_options',
    ]) {
      assert.equal(unpacked(name), tracefs.read(name));
    }
    assert.match(unpacked('trace_clock'), /\[mono\]/);
    assert.equal(unpacked('printk_formats'), readFileSync(join(tracefs.root, 'printk_formats'), 'utf8'));
    assert.match(unpacked('saved_cmdlines'), /^(?:\d+ .*\n)*$/);
    for (const cpu of tracefs.cpus()) assert.match(unpacked(`per_cpu/cpu${cpu}/stats`), /^entries: /);
    assert.equal(unpacked('uname').trim(), execFileSync('uname', ['-a'], { encoding: 'utf8' }).trim());
    assert.equal(unpacked('version'), readFileSync('/proc/version', 'utf8'));
  });

  it('lists every thread, with its process and its parent', () => {
    const lines = unpacked('ps').trimEnd().split('\n');
    assert.ok(lines.includes(`1 ${readFileSync('/proc/1/comm', 'utf8').trim()} 1 0`));
    const own = lines.filter((line) => line.endsWith(` ${process.pid} ${process.ppid}`));
    const threads = readdirSync('/proc/self/task');
    assert.ok(threads.length > 1);
    for (const tid of threads)
      assert.ok(
        own.some((line) => line.startsWith(`${tid} `)),
        tid,
      );
  });

  it('has every function symbol, if this user may see addresses', () => {
    const expected = readFileSync('/proc/kallsyms', 'latin1').match(/^.* [tTwW] .*\n/gm) ?? [];
    if (expected.every((line) => line.startsWith('0000000000000000 ')))
      assert.ok(!existsSync(join(dir, 'kallsyms')));
    else assert.equal(readFileSync(join(dir, 'kallsyms'), 'latin1'), expected.join(''));
  });

  it('lists its files in the same order and with the same date each time', async () => {
    const first = await entriesOf(archive);
    assert.ok(first.every(({ mtimeMs }) => mtimeMs === 0));
    assert.equal(new Set(first.map(({ name }) => name)).size, first.length, 'each once');
    const formats = first.map(({ name }) => name).filter((name) => name.endsWith('/format'));
    assert.deepEqual(formats, formats.toSorted(bySystemThenName));
    assert.deepEqual(await entriesOf((await packMetadata(own.tracefs)).packed), first);
  });

  it('for `names` has only the names, the processes and the statistics', async () => {
    const names: string[] = [];
    for await (const { name } of collectMetadata(own.tracefs, 'names')) names.push(name);
    assert.ok(names.includes('saved_cmdlines') && names.includes('ps'), String(names));
    assert.ok(names.includes('per_cpu/cpu0/stats'));
    const others = names.filter(
      (name) => !/^(saved_cmdlines|saved_tgids|ps|per_cpu\/cpu\d+\/stats)$/.test(name),
    );
    assert.deepEqual(others, []);
  });

  it('lets the event loop run while it is packed', async () => {
    let turns = 0;
    const ticker = setInterval(() => turns++, 1);
    await packMetadata(own.tracefs);
    clearInterval(ticker);
    assert.ok(turns > 20, `${turns} turns`);
  });
});

async function entriesOf(packed: Buffer): Promise<{ name: string; mtimeMs: number | undefined }[]> {
  const unpacker = extract();
  unpacker.end(gunzipSync(packed));
  const entries = [];
  for await (const entry of unpacker) {
    entries.push({ name: entry.header.name, mtimeMs: entry.header.mtime?.getTime() });
    entry.resume();
  }
  return entries;
}

function bySystemThenName(a: string, b: string): number {
  const [, systemA = '', nameA = ''] = a.split('/');
  const [, systemB = '', nameB = ''] = b.split('/');
  if (systemA !== systemB) return systemA < systemB ? -1 : 1;
  return nameA < nameB ? -1 : 1;
}
