import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readProcesses, taskLine } from '../../../../src/tracefs/metadata/processes.ts';

describe('taskLine', () => {
  it('returns thread, name, process and parent, for any name', () => {
    assert.equal(taskLine('5', '7 (cat) S 2 5 5 0 -1\n'), '7 cat 5 2\n');
    assert.equal(taskLine('5', '7 (a b) R 9) S 3 5 5 0 -1\n'), '7 a b) R 9 5 3\n');
    assert.equal(taskLine('5', '7 (x) S 1 (y) S 2 5 5 0\n'), '7 x) S 1 (y 5 2\n');
    assert.equal(taskLine('5', '7 () S 0 0 0 0\n'), '7  5 0\n');
    assert.equal(taskLine('5', '7 (a\n1 init 1 0\x1b) S 2 5 5 0\n'), '7 a?1 init 1 0? 5 2\n');
  });

  it('returns undefined for invalid text', () => {
    for (const text of ['', '\n', '7', '7 (cat', '7 (cat) S', 'x (cat) S 2 5', '7 (cat) S x 5'])
      assert.equal(taskLine('5', text), undefined, text);
  });
});

describe('readProcesses', () => {
  it('lists all threads, skips those that ended meanwhile, and returns undefined without procfs', async (context) => {
    const proc = mkdtempSync(join(tmpdir(), 'proc-'));
    context.after(() => rmSync(proc, { recursive: true }));
    assert.equal(await readProcesses(proc), undefined);
    assert.equal(await readProcesses(join(proc, 'absent')), undefined);
    const add = (tgid: number, tid: number, stat?: string) => {
      const task = join(proc, `${tgid}/task/${tid}`);
      mkdirSync(task, { recursive: true });
      if (stat !== undefined) writeFileSync(join(task, 'stat'), stat);
    };
    add(1, 1, '1 (init) S 0 1 1 0\n');
    add(20, 20, '20 (\xe4) S 1 1 1 0\n');
    add(20, 21, '21 (t w o) S 1 1 1 0\n');
    add(20, 22);
    mkdirSync(join(proc, '30'));
    mkdirSync(join(proc, 'sys/task/5'), { recursive: true });
    const text = (await readProcesses(proc))?.toString() ?? '';
    assert.deepEqual(text.split('\n').toSorted(), ['', '1 init 1 0', '20 \u00e4 20 1', '21 t w o 20 1']);
  });

  it('stops at the maximum number of threads', async (context) => {
    const proc = mkdtempSync(join(tmpdir(), 'proc-'));
    context.after(() => rmSync(proc, { recursive: true }));
    for (const tgid of [1, 100]) {
      for (let tid = tgid; tid < tgid + 100; tid++) {
        mkdirSync(join(proc, `${tgid}/task/${tid}`), { recursive: true });
        writeFileSync(join(proc, `${tgid}/task/${tid}/stat`), `${tid} (x) S 0 1\n`);
      }
    }
    for (const most of [1, 150, 200, 300]) {
      const text = (await readProcesses(proc, most))?.toString() ?? '';
      assert.equal(text.match(/\n/g)?.length, Math.min(most, 200));
    }
  });
});
