import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InterruptStack, InterruptTable } from '../../../src/analysis/interrupts.ts';
import { parseFieldLine } from '../../../src/trace/format/field.ts';
import type { RecordData } from '../../../src/trace/format/record-data.ts';
import { irqEntryData } from './made-trace.ts';

const nameField = parseFieldLine('field:__data_loc char[] name; offset:12; size:4; signed:1;')!;

function recordOf(page: Uint8Array): RecordData {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  return { page, view, dataOffset: 0, dataBytes: page.length };
}

describe('InterruptTable', () => {
  it('keeps names when their page is overwritten, which is a Buffer', () => {
    const table = new InterruptTable();
    const page = Buffer.from(irqEntryData(0, 7, 'disk'));
    const row = table.ofHandler(7, recordOf(page), nameField);
    page.fill(0);
    assert.equal(table.ofHandler(7, recordOf(irqEntryData(1, 7, 'disk')), nameField), row);
    assert.notEqual(table.ofHandler(7, recordOf(irqEntryData(1, 7, 'net')), nameField), row);
    assert.equal(row.name, 'disk');
  });

  it('is bounded for any numbers and names', () => {
    const table = new InterruptTable();
    for (let number = 0; number < 5000; number++) table.ofNumber(number, String).own.add(1);
    for (let number = 0; number < 100; number++)
      table.ofHandler(1, recordOf(irqEntryData(0, 1, `handler ${number}`)), nameField).own.add(1);
    const rows = [...table.all()];
    assert.equal(rows.length, 1025);
    assert.equal(rows.at(-1), table.others);
    assert.equal(table.others.own.count, 5100 - 1024);
    const long = new InterruptTable().ofHandler(1, recordOf(irqEntryData(0, 1, 'x'.repeat(999))), nameField);
    assert.equal(long.name.length, 64);
  });
});

describe('InterruptStack', () => {
  it('survives any order of entries and exits, and counts what does not match', () => {
    const table = new InterruptTable();
    const row = table.ofNumber(1, String);
    const stack = new InterruptStack();
    stack.leave(1, true, 5, 0);
    for (let depth = 0; depth < 20; depth++) stack.enter(row, depth, false, depth);
    stack.leave(18, false, 30, 0);
    stack.leave(2, true, 31, 0);
    // 1 exit; 16 forgotten as too deep; the entry of 19 above that of 18; 1 exit
    assert.equal(stack.unmatched, 19);
    assert.deepEqual([row.own.count, row.own.max], [1, 12]);
    stack.switched();
    assert.equal(stack.unmatched, 21);
  });
});
