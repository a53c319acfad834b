import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packMetadata } from '../../src/tracefs/metadata.ts';
import { ownInstance, tracefsSkip } from './tracefs-support.ts';

describe('the metadata archive', { skip: tracefsSkip() }, () => {
  const own = ownInstance();
  let dir = '';
  let archive: Buffer = Buffer.alloc(0);
  const unpacked = (name: string): string => readFileSync(join(dir, name), 'utf8');

  before(async () => {
    own.tracefs.write('trace_clock', 'mono');
    archive = await packMetadata(own.tracefs);
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

  it('has the files around them: those of the instance from the instance, the names from the root', () => {
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
    assert.match(unpacked('saved_cmdlines'), /^\d+ \S/);
    for (const cpu of tracefs.cpus()) assert.match(unpacked(`per_cpu/cpu${cpu}/stats`), /^entries: /);
    assert.equal(unpacked('uname').trim(), execFileSync('uname', ['-a'], { encoding: 'utf8' }).trim());
    assert.equal(unpacked('version'), readFileSync('/proc/version', 'utf8'));
  });

  it('has every function symbol, when this user may see addresses', () => {
    const expected = readFileSync('/proc/kallsyms', 'latin1').match(/^.* [tTwW] .*\n/gm) ?? [];
    if (expected.every((line) => line.startsWith('0000000000000000 ')))
      assert.ok(!existsSync(join(dir, 'kallsyms')));
    else assert.equal(readFileSync(join(dir, 'kallsyms'), 'latin1'), expected.join(''));
  });

  it('lists its files in the same order with the same date each time', async () => {
    const list = (packed: Buffer): string =>
      execFileSync('tar', ['-tvzf', '-', '--full-time', '--utc'], {
        input: packed,
        encoding: 'utf8',
        maxBuffer: 16 << 20,
      });
    const withoutSizes = (text: string): string => text.replaceAll(/ +\d+ (?=\d{4}-)/g, ' ');
    const first = withoutSizes(list(archive));
    assert.match(first, /1970-01-01 00:00:00 events\/header_event\n/);
    assert.doesNotMatch(first, /\d{4}-\d\d-\d\d (?!00:00:00)/);
    assert.equal(withoutSizes(list(await packMetadata(own.tracefs))), first);
  });

  it('lets the event loop run while it is packed', async () => {
    let turns = 0;
    const ticker = setInterval(() => turns++, 1);
    await packMetadata(own.tracefs);
    clearInterval(ticker);
    assert.ok(turns > 20, `${turns} turns`);
  });
});
