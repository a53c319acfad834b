import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type DuckDBConnection, DuckDBInstance, type Json } from '@duckdb/node-api';
import type { ExportSource, MachinesOptions } from '../../../../src/export/machines.ts';
import { fillParquet } from '../../../../src/export/parquet/export-parquet.ts';
import {
  type EventTable,
  type QueriedTables,
  queriedTables,
} from '../../../../src/export/query/queried-tables.ts';
import { stateText } from '../../../../src/export/query/state-text.ts';
import { viewStatements } from '../../../../src/export/query/views.ts';
import type { EventObject } from '../../../../src/trace/events/trace-event.ts';
import { type EventFormat, parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { packContents } from '../../../../src/host/metadata/pack.ts';
import { fixtureText } from '../../trace/fixtures.ts';
import { recordingDir, sampleContents, scratchDir, sessionFiles } from '../../trace/samples.ts';
import { objectsOf } from '../odd-recording.ts';

interface Sample {
  readonly events: readonly EventObject[];
  readonly tables: QueriedTables;
}

async function sampleTables(test: TestContext, events?: readonly string[]): Promise<Sample> {
  const trace = await openTrace(recordingDir(test));
  const filter = events === undefined ? {} : { events };
  const tables = await tablesOf(test, trace, { filter });
  const objects = await objectsOf(trace, filter);
  await trace.close();
  return { events: objects, tables };
}

async function tablesOf(
  test: TestContext,
  from: ExportSource,
  options: MachinesOptions = {},
): Promise<QueriedTables> {
  const dir = join(scratchDir(test), "it's [a] *");
  mkdirSync(dir);
  await fillParquet(from, dir, options);
  return queriedTables(from, dir);
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A row of the stored answers of a real trace processor that begins with that text. */
function stored(begin: string): string[] {
  const tables = fixtureText('A/perfetto-queries-result.txt').trim().split('\n\n');
  return (
    tables
      .find((table) => table.startsWith(begin))
      ?.split('\n')
      .slice(1) ?? []
  );
}

describe('views of a trace', () => {
  let connection: DuckDBConnection;

  before(async () => {
    connection = await (await DuckDBInstance.create()).connect();
  });

  after(() => connection.closeSync());

  async function rows(sql: string): Promise<Json[][]> {
    return (await connection.runAndReadAll(sql)).getRowsJson();
  }

  async function create(tables: QueriedTables): Promise<void> {
    await connection.run('drop schema if exists v cascade; create schema v; use v');
    await connection.run(viewStatements(tables).join(';\n'));
  }

  it('have the slices that a real trace processor found in A', async (test) => {
    await create((await sampleTables(test)).tables);
    const perCpu = await rows(
      'select cpu, count(*), min(ts) - 2958000, max(ts + dur) - 2958000 from sched_slice group by 1 order by 1',
    );
    assert.deepEqual(
      perCpu.map((row) => row.map(text).join(',')),
      stored('"cpu","n"'),
    );
    const states = await rows(
      'select end_state, count(*) from sched_slice group by 1 order by 1 nulls first',
    );
    assert.deepEqual(
      states.map(([state, count]) => `"${typeof state === 'string' ? state : '[NULL]'}",${text(count)}`),
      stored('"end_state"'),
    );
    const softirqs = await rows(
      "select name, count(dur) from irq_slice where kind = 'softirq' group by 1 order by 2 desc",
    );
    const slices = stored('"name","count(*)"').filter((row) => /^"(SCHED|RCU|TIMER)"/.test(row));
    assert.deepEqual(
      softirqs.map(([name, count]) => `"${text(name)}",${text(count)}`),
      slices,
    );
    const threads = await rows('select tid, name, tgid from thread where tid between 1 and 11 order by tid');
    const named = stored('"tid","name"').slice(1);
    assert.deepEqual(
      threads.map(([tid, name, tgid]) => `${text(tid)},"${text(name)}",${text(tgid)},"${text(name)}"`),
      named,
    );
  });

  it('have the time from each wakeup to the start of the task', async (test) => {
    const sample = await sampleTables(test);
    await create(sample.tables);
    const woken = new Map<unknown, EventObject>();
    const expected: unknown[][] = [];
    for (const event of sample.events) {
      const { name, timestamp, fields, cpu } = event;
      if (name === 'sched:sched_waking' || name === 'sched:sched_wakeup_new') woken.set(fields['pid'], event);
      if (name !== 'sched:sched_switch') continue;
      const wake = woken.get(fields['next_pid']);
      // a wakeup before the stop has been answered
      woken.delete(fields['prev_pid']);
      woken.delete(fields['next_pid']);
      if (wake !== undefined)
        expected.push([
          String(wake.timestamp),
          wake.fields['pid'],
          cpu,
          String(timestamp - wake.timestamp),
          wake.pid,
        ]);
    }
    assert.ok(expected.length > 300);
    // two may be at the same time
    expected.sort(([a, x], [b, y]) => Number(a) - Number(b) || Number(x) - Number(y));
    const found = await rows('select ts, tid, cpu, latency, waker_tid from wakeup_latency order by ts, tid');
    assert.deepEqual(found, expected);
  });

  it('are empty, with their columns, without the events that they need', async (test) => {
    await create((await sampleTables(test, ['power', 'ftrace', 'signal'])).tables);
    for (const view of ['sched_slice', 'wakeup_latency', 'irq_slice'])
      assert.deepEqual(await rows(`select * from ${view}`), [], view);
    assert.deepEqual(await rows('select count(*) from print'), [['3']]);
  });

  it('have both names of an event, and only the long one if two systems share the short', async (test) => {
    const { tables } = await sampleTables(test);
    const [one] = tables.events.filter(({ fullName }) => fullName === 'irq:softirq_entry');
    const twin = { ...one!, fullName: 'mine:softirq_entry' };
    await create({ ...tables, events: [...tables.events, twin] });
    const names = new Set((await rows('show tables')).map(([name]) => name));
    assert.ok(names.has('sched:sched_switch') && names.has('sched_switch'));
    assert.ok(
      names.has('mine:softirq_entry') && names.has('irq:softirq_entry') && !names.has('softirq_entry'),
    );
  });

  it('quote whatever a guest calls its events, and keep their own names', async (test) => {
    const { tables } = await sampleTables(test);
    const [one] = tables.events;
    const evil = (name: string): EventTable => ({ ...one!, fullName: `x:${name}`, name });
    const names = ['a";drop_view_thread;--', "b'", 'SCHED_slice', 'thread', 'x;y'];
    await create({ ...tables, events: [...tables.events, ...names.map(evil)] });
    const shown = new Set((await rows('show tables')).map(([name]) => name));
    for (const name of names) assert.ok(shown.has(`x:${name}`), name);
    assert.ok(shown.has('a";drop_view_thread;--') && shown.has('thread'));
    assert.equal((await rows('select count(*) from sched_slice'))[0]?.[0], '907');
  });

  it('name states as the guest does', async () => {
    const format = (print: string): EventFormat =>
      parseEventFormat('sched', `name: sched_switch\nID: 7\nformat:\n\nprint fmt: ${print}\n`);
    const stateOf = async (print: string, state: number): Promise<Json | undefined> =>
      (await rows(`select ${stateText(format(print), 's')} from (select ${state}::bigint as s)`))[0]?.[0];
    const own = '"%s", __print_flags(REC->s & 3, "|", { 0x00000001, "A" }, { 0x00000002, "B" })';
    assert.equal(await stateOf(own, 0), 'R');
    assert.equal(await stateOf(own, 3), 'A|B');
    assert.equal(await stateOf(own, 4), 'R+');
    assert.equal(await stateOf('', 0x100), 'R+');
    assert.equal(await stateOf('{ 0x00000001, "\'; drop" }', 1), 'S');
  });
});

const views = ['sched_slice', 'wakeup_latency', 'irq_slice', 'thread'];

describe('views of a session', () => {
  let connection: DuckDBConnection;

  before(async () => {
    connection = await (await DuckDBInstance.create()).connect();
  });

  after(() => connection.closeSync());

  /** The rows of each view; without the column `machine`, those of one machine only. */
  async function rowsOf(tables: QueriedTables, machine?: string): Promise<Json[][][]> {
    await connection.run('drop schema if exists v cascade; create schema v; use v');
    await connection.run(viewStatements(tables).join(';\n'));
    const found: Json[][][] = [];
    for (const view of views) {
      const where = machine === undefined ? '' : `where machine = '${machine}'`;
      const columns = machine === undefined ? '*' : '* exclude (machine)';
      const sql = `select ${columns} from ${view} ${where} order by all`;
      found.push((await connection.runAndReadAll(sql)).getRowsJson());
    }
    return found;
  }

  it('are those of each file, and name its machine', async (test) => {
    const session = await openSession(await sessionFiles(test));
    const all = await tablesOf(test, session);
    for (const { name, trace } of session.machines) {
      const own = await rowsOf(await tablesOf(test, trace));
      for (const [index, rows] of own.entries()) assert.ok(rows.length > 50, `${name}: ${views[index]}`);
      assert.deepEqual(await rowsOf(all, name), own, name);
    }
    const total = await connection.runAndReadAll(
      'select machine, count(*), min(ts), count(end_state) from sched_slice group by all order by min(ts)',
    );
    const [host, web, db] = total
      .getRowsJson()
      .map(([machine, ...figures]) => [machine, ...figures.map(Number)]);
    assert.deepEqual([host?.[0], web?.[0], db?.[0]], ['host', 'web', 'db']);
    assert.equal(Number(web?.[2]) - Number(host?.[2]), 5_000_000);
    const order = await connection.runAndReadAll('select ts from sched_slice');
    const times = order.getRowsJson().map(([ts]) => Number(ts));
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    await session.close();
  });

  it('read each machine by its own formats and by its own events', async (test) => {
    const format = 'events/sched/sched_switch/format';
    const contents = new Map(await sampleContents('A'));
    const text = contents.get(format)!.toString('latin1');
    // the first machine takes the name of a column for something else
    const other = text.replace('pid_t next_pid;', 'char next_pid[4];').replaceAll('"S"', '"Q"');
    const [first, second, third] = [recordingDir(test), recordingDir(test), recordingDir(test)];
    const write = async (dir: string, written: string): Promise<void> => {
      const all = new Map([...contents, [format, Buffer.from(written, 'latin1')]]);
      writeFileSync(join(dir, 'metadata.tar.gz'), await packContents(all));
    };
    await write(first, other);
    await write(second, text.replaceAll('"S"', '"Q"'));
    const session = await openSession([first, second, third]);
    const [one, two, three] = session.machines;
    const only = { events: ['sched:sched_switch', 'sched:sched_wakeup', 'irq'] };
    // the second one has no sched_waking
    const all = await tablesOf(test, session, { filter: (machine) => (machine === two ? only : {}) });
    const [slices, latencies, interrupts] = await rowsOf(all, one!.name);
    assert.deepEqual([slices, latencies], [[], []]);
    assert.ok(interrupts!.length > 100);
    const ofTwo = await rowsOf(await tablesOf(test, two!.trace, { filter: only }));
    assert.ok(ofTwo[0]!.some((row) => row.at(-1) === 'Q') && ofTwo[1]!.length > 100);
    assert.deepEqual(await rowsOf(all, two!.name), ofTwo);
    const ofThree = await rowsOf(await tablesOf(test, three!.trace));
    assert.ok(ofThree[0]!.some((row) => row.at(-1) === 'S') && ofThree[1]!.length > 100);
    assert.deepEqual(await rowsOf(all, three!.name), ofThree);
    await session.close();
  });
});
