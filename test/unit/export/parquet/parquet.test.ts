import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type DuckDBConnection, DuckDBInstance, type Json } from '@duckdb/node-api';
import { ownColumns } from '../../../../src/export/parquet/columns.ts';
import { exportParquet } from '../../../../src/export/parquet/export-parquet.ts';
import { exportNdjson } from '../../../../src/export/text/export-ndjson.ts';
import { packContents } from '../../../../src/host/metadata/pack.ts';
import type { EventObject } from '../../../../src/trace/events/trace-event.ts';
import { type EventFormat, parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { parseMetadata } from '../../../../src/trace/metadata/guest-metadata.ts';
import { convert } from '../../../../src/trace/convert/convert.ts';
import { recordingDir, sampleContents, samplePages, scratchDir, writeRaws } from '../../trace/samples.ts';
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

describe('Parquet of several machines', () => {
  it('has the events that NDJSON has, in the same order', async (test) => {
    const format = 'events/sched/sched_switch/format';
    const contents = new Map(await sampleContents('A'));
    const text = contents.get(format)!.toString('latin1');
    const other = text
      .replace('pid_t prev_pid;', 'pid_t prev_thread;')
      .replace('int next_prio;\toffset:60;\tsize:4;', 'long next_prio;\toffset:56;\tsize:8;')
      .replace('int prev_prio;', 'char prev_prio[4];');
    contents.set(format, Buffer.from(other, 'latin1'));
    const [plain, changed] = [oddRecording(test), recordingDir(test)];
    writeFileSync(join(changed, 'metadata.tar.gz'), await packContents(contents));
    const session = await openSession([plain, changed]);
    const [{ name: one }, { name: two }] = [session.machines[0]!, session.machines[1]!];

    const dir = scratchDir(test);
    const tables = join(dir, 'tables');
    const counts = await exportParquet(session, tables);
    assert.equal(counts.events, 2 * 21_843);
    const lines = join(dir, 'a.ndjson');
    await exportNdjson(session, lines);
    await session.close();
    const byName = new Map<string, Line[]>();
    for (const line of readFileSync(lines, 'utf8').trimEnd().split('\n')) {
      const parsed: Line = JSON.parse(line);
      const list = byName.get(parsed.event) ?? [];
      list.push(parsed);
      byName.set(parsed.event, list);
    }
    assert.equal(readdirSync(tables).length, byName.size + 1);
    const connection = await (await DuckDBInstance.create()).connect();
    for (const [name, objects] of byName) {
      const file = join(tables, `${name.replace(':', '.')}.parquet`);
      const result = await connection.runAndReadAll(`select * from '${file}'`);
      const [ts, cpu, tid, comm, guest, instance, machine, ...own] = result.columnNames();
      assert.deepEqual(
        [ts, cpu, tid, comm, guest, instance, machine],
        ['_ts', '_cpu', '_tid', '_comm', '_guest', '_instance', '_machine'],
      );
      const expected = objects.map(({ ts, cpu, pid, comm, machine, fields }) => [
        ts,
        cpu,
        pid,
        comm,
        'A',
        null,
        machine,
        ...own.map((column) => {
          if (name !== 'sched:sched_switch' || !column.startsWith('prev_prio')) return fields[column];
          // a number on one machine, a text on the other
          return column === (machine === one ? 'prev_prio' : 'prev_prio_2') ? fields['prev_prio'] : undefined;
        }),
      ]);
      assert.deepEqual(result.getRowsJson().map(textsOf), expected.map(textsOf), name);
    }
    const types = await connection.runAndReadAll(
      `describe from '${join(tables, 'sched.sched_switch.parquet')}'`,
    );
    const shown = new Map(types.getRowsJson().map(([column, type]) => [column, type]));
    const wanted = ['prev_prio', 'prev_prio_2', 'next_prio', 'prev_thread'].map((column) =>
      shown.get(column),
    );
    assert.deepEqual(wanted, ['INTEGER', 'VARCHAR', 'BIGINT', 'INTEGER']);
    const tasks = await connection.runAndReadAll(
      `select * from '${join(tables, 'tasks.parquet')}' where tid = 1`,
    );
    connection.closeSync();
    assert.deepEqual(tasks.getRowsJson(), [
      [one, 1, 'init', 1, 0],
      [two, 1, 'init', 1, 0],
    ]);
  });
});

/** A line of NDJSON. */
interface Line {
  readonly ts: number;
  readonly machine: string;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string | null;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** 64-bit integers are texts in one of two forms, and numbers in the other. */
function textsOf(values: readonly unknown[]): unknown[] {
  const textOf = (value: unknown): unknown => (typeof value === 'number' ? String(value) : (value ?? null));
  return values.map((value) => (Array.isArray(value) ? value.map(textOf) : textOf(value)));
}

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
  const formatOf = (...fields: readonly string[]): EventFormat => {
    const lines = fields.map((field) => `\tfield:${field}\n`);
    return parseEventFormat('x', `name: y\nID: 7\nformat:\n\n${lines.join('')}`);
  };
  const columns = (...formats: readonly EventFormat[]): (string | undefined)[][] =>
    ownColumns(formats, formats.length > 1).map(({ name, schema }) => {
      const { type, converted_type } = schema.at(-1)!;
      return [name, converted_type ?? type];
    });

  it('have names that differ, also without case', () => {
    const format = formatOf(
      ...['_ts', 'a', 'A', 'a', '_machine'].map((name) => `u8 ${name};\toffset:8;\tsize:1;`),
    );
    const names = (isNamed: boolean): string[] => ownColumns([format], isNamed).map(({ name }) => name);
    assert.deepEqual(names(false), ['_ts_2', 'a', 'A_2', 'a_3', '_machine']);
    assert.deepEqual(names(true), ['_ts_2', 'a', 'A_2', 'a_3', '_machine_2']);
  });

  it('have a type for the values of all machines, or are several', () => {
    const field = (type: string, size: number, signed: 0 | 1): EventFormat =>
      formatOf(`${type} a;\toffset:8;\tsize:${size};\tsigned:${signed};`);
    const [s32, u32, s64, u64] = [
      field('int', 4, 1),
      field('unsigned int', 4, 0),
      field('long', 8, 1),
      field('unsigned long', 8, 0),
    ];
    const text = formatOf('char a[16];\toffset:8;\tsize:16;\tsigned:1;');
    const otherText = formatOf('__data_loc char[] a;\toffset:8;\tsize:4;\tsigned:0;');
    assert.deepEqual(columns(s32, s32), [['a', 'INT_32']]);
    assert.deepEqual(columns(s32, s64), [['a', 'INT_64']]);
    assert.deepEqual(columns(u64, u32), [['a', 'UINT_64']]);
    assert.deepEqual(columns(s32, u32), [['a', 'INT_64']]);
    assert.deepEqual(columns(text, otherText), [['a', 'UTF8']]);
    const apart = [
      ['a', 'INT_32'],
      ['a_2', 'UINT_64'],
    ];
    assert.deepEqual(columns(s32, u64, s32), apart);
    assert.deepEqual(columns(text, s32, text), [
      ['a', 'UTF8'],
      ['a_2', 'INT_32'],
    ]);
  });
});
