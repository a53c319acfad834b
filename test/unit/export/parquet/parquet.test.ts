import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type DuckDBConnection, DuckDBInstance, type Json } from '@duckdb/node-api';
import { columnsOf } from '../../../../src/export/parquet/columns.ts';
import { exportParquet } from '../../../../src/export/parquet/export-parquet.ts';
import type { EventObject } from '../../../../src/trace/events/trace-event.ts';
import { parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { parseMetadata } from '../../../../src/trace/metadata/guest-metadata.ts';
import { convert } from '../../../../src/trace/convert/convert.ts';
import { sampleContents, samplePages, scratchDir, writeRaws } from '../../trace/samples.ts';
import { objectsOf, oddRecording } from '../odd-recording.ts';

/** As DuckDB's JSON values are: 64-bit integers are strings. */
function row({ timestamp, cpu, pid, task = '', fields }: EventObject): Json[] {
  const own = Object.values(fields).map((value): Json => {
    if (typeof value === 'bigint') return String(value);
    if (value instanceof Uint8Array) return String(value);
    return typeof value === 'object'
      ? value.map((one) => (typeof one === 'bigint' ? String(one) : one))
      : value;
  });
  return [String(timestamp), cpu, pid, task, 'A', null, ...own];
}

describe('Parquet, as DuckDB reads it', () => {
  let connection: DuckDBConnection;

  before(async () => {
    connection = await (await DuckDBInstance.create()).connect();
  });

  after(() => connection.closeSync());

  it('has a file per event type, with every event and all fields', async (test) => {
    const dir = join(scratchDir(test), 'tables');
    const trace = await openTrace(oddRecording(test));
    const { events, lost } = await exportParquet(trace, dir);
    assert.deepEqual([events, lost], [21_843, 35_899n]);
    const byName = new Map<string, EventObject[]>();
    for (const object of await objectsOf(trace)) {
      const others = byName.get(object.name);
      if (others === undefined) byName.set(object.name, [object]);
      else others.push(object);
    }
    assert.equal(readdirSync(dir).length, byName.size + 1);
    for (const [name, objects] of byName) {
      const file = join(dir, `${name.replace(':', '.')}.parquet`);
      const result = await connection.runAndReadAll(`select * from '${file}'`);
      assert.deepEqual(result.getRowsJson(), objects.map(row), name);
    }
    const types = await connection.runAndReadAll(
      `describe from '${join(dir, 'raw_syscalls.sys_enter.parquet')}'`,
    );
    const shown = types.getRowsJson().map(([column, type]) => [column, type]);
    assert.deepEqual(shown.slice(0, 3), [
      ['_ts', 'BIGINT'],
      ['_cpu', 'INTEGER'],
      ['_tid', 'INTEGER'],
    ]);
    assert.deepEqual(shown.slice(6), [
      ['id', 'BIGINT'],
      ['args', 'UBIGINT[]'],
    ]);
    const tasks = await connection.runAndReadAll(
      `select * from '${join(dir, 'tasks.parquet')}' where tid in (1, 117)`,
    );
    assert.deepEqual(tasks.getRowsJson(), [
      [1, 'init', 1, 0],
      [117, 'trace-agent', 115, null],
    ]);
    await trace.close();
  });
});

describe('a field of opaque bytes', () => {
  it('keeps the bytes that each event had', async (test) => {
    const dir = scratchDir(test);
    const contents = new Map(await sampleContents('A'));
    const path = 'events/sched/sched_stat_runtime/format';
    const format = String(contents.get(path)).replace('char comm[16]', 'struct odd comm');
    // of a type that is no integer: 16 bytes
    contents.set(path, Buffer.from(format));
    // more than one block of pages
    const pages = Object.fromEntries(
      Object.entries(samplePages('A')).map(([cpu, bytes]) => [cpu, Buffer.concat([bytes, bytes, bytes])]),
    );
    const out = join(dir, 'trace.dat');
    await convert({ cpus: writeRaws(dir, pages), metadata: parseMetadata(contents), out });
    const trace = await openTrace(out);
    const filter = { events: ['sched:sched_stat_runtime'] };
    await exportParquet(trace, join(dir, 'tables'), { filter });
    const source = (await objectsOf(trace, filter)).map(({ fields }) => fields['comm']);
    await trace.close();
    const connection = await (await DuckDBInstance.create()).connect();
    const sql = `select lower(hex(comm)) from '${join(dir, 'tables/sched.sched_stat_runtime.parquet')}'`;
    const found = (await connection.runAndReadAll(sql)).getRowsJson().map(([text]) => text);
    connection.closeSync();
    assert.equal(found.length, 3 * 786);
    assert.deepEqual(
      found,
      source.map((bytes) => (bytes instanceof Uint8Array ? Buffer.from(bytes).toString('hex') : bytes)),
    );
  });
});

describe('columns of an event', () => {
  it('have names that differ, also without case', () => {
    const lines = ['_ts', 'a', 'A', 'a'].map(
      (name) => `\tfield:u8 ${name};\toffset:8;\tsize:1;\tsigned:0;\n`,
    );
    const format = parseEventFormat('x', `name: y\nID: 7\nformat:\n\n${lines.join('')}`);
    const names = columnsOf(format)
      .slice(6)
      .map(({ name }) => name);
    assert.deepEqual(names, ['_ts_2', 'a', 'A_2', 'a_3']);
  });
});
