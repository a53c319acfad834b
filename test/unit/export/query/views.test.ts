import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type DuckDBConnection, DuckDBInstance, type Json } from '@duckdb/node-api';
import { fillParquet, parquetFileOf, tasksFile } from '../../../../src/export/parquet/export-parquet.ts';
import { stateText } from '../../../../src/export/query/state-text.ts';
import { type EventTable, viewStatements } from '../../../../src/export/query/views.ts';
import type { EventObject } from '../../../../src/trace/events/trace-event.ts';
import { type EventFormat, parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { fixtureText } from '../../trace/fixtures.ts';
import { recordingDir, scratchDir } from '../../trace/samples.ts';
import { objectsOf } from '../odd-recording.ts';

interface Tables {
  readonly events: readonly EventObject[];
  readonly tables: readonly EventTable[];
  readonly tasks: string;
}

async function sampleTables(test: TestContext, events?: readonly string[]): Promise<Tables> {
  const dir = join(scratchDir(test), "it's [a] *");
  mkdirSync(dir);
  const trace = await openTrace(recordingDir(test));
  const filter = events === undefined ? {} : { events };
  await fillParquet(trace, dir, { filter });
  const objects = await objectsOf(trace, filter);
  const names = new Set(objects.map(({ name }) => name));
  const tables = trace
    .formats()
    .filter(({ fullName }) => names.has(fullName))
    .map((format) => ({
      format,
      fullName: format.fullName,
      path: join(dir, parquetFileOf(trace, format.id)),
    }));
  await trace.close();
  return { events: objects, tables, tasks: join(dir, tasksFile) };
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

  async function create({ tables, tasks }: Tables): Promise<void> {
    await connection.run('drop schema if exists v cascade; create schema v; use v');
    await connection.run(viewStatements(tables, tasks).join(';\n'));
  }

  it('have the slices that a real trace processor found in A', async (test) => {
    await create(await sampleTables(test));
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
    await create(sample);
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
    await create(await sampleTables(test, ['power', 'ftrace', 'signal']));
    for (const view of ['sched_slice', 'wakeup_latency', 'irq_slice'])
      assert.deepEqual(await rows(`select * from ${view}`), [], view);
    assert.deepEqual(await rows('select count(*) from print'), [['3']]);
  });

  it('have both names of an event, and only the long one if two systems share the short', async (test) => {
    const sample = await sampleTables(test);
    const [one] = sample.tables.filter(({ fullName }) => fullName === 'irq:softirq_entry');
    const twin = { ...one!, fullName: 'mine:softirq_entry', format: { ...one!.format!, system: 'mine' } };
    await create({ ...sample, tables: [...sample.tables, twin] });
    const names = new Set((await rows('show tables')).map(([name]) => name));
    assert.ok(names.has('sched:sched_switch') && names.has('sched_switch'));
    assert.ok(
      names.has('mine:softirq_entry') && names.has('irq:softirq_entry') && !names.has('softirq_entry'),
    );
  });

  it('quote whatever a guest calls its events, and keep their own names', async (test) => {
    const sample = await sampleTables(test);
    const [one] = sample.tables;
    const evil = (name: string): EventTable => ({
      ...one!,
      fullName: `x:${name}`,
      format: { ...one!.format!, system: 'x', name },
    });
    const names = ['a";drop_view_thread;--', "b'", 'SCHED_slice', 'thread', 'x;y'];
    await create({ ...sample, tables: [...sample.tables, ...names.map(evil)] });
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
