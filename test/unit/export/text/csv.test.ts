import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileNameOf } from '../../../../src/export/file-names.ts';
import { exportCsvDirectory, exportCsvFile } from '../../../../src/export/text/export-csv.ts';
import type { EventObject } from '../../../../src/trace/events/trace-event.ts';
import { parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { packContents } from '../../../../src/host/metadata/pack.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { recordingDir, sampleContents, scratchDir } from '../../trace/samples.ts';
import { objectsOf, oddName, oddRecording } from '../odd-recording.ts';

/** The rows of a CSV text as RFC 4180 says, apart from the line ends. */
function rowsOf(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

function cells({ timestamp, cpu, pid, task = '', fields }: EventObject): string[] {
  const own = Object.values(fields).map((value) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    return typeof value === 'object' ? `[${value.join(',')}]` : String(value);
  });
  return [String(timestamp), String(cpu), String(pid), task, 'A', '', ...own];
}

describe('CSV', () => {
  it('has a file per event type with every event, and the types of the columns', async (test) => {
    const dir = join(scratchDir(test), 'tables');
    mkdirSync(dir);
    const trace = await openTrace(oddRecording(test));
    const { events, lost } = await exportCsvDirectory(trace, dir);
    assert.deepEqual([events, lost], [21_843, 35_899n]);
    const byName = new Map<string, EventObject[]>();
    for (const object of await objectsOf(trace))
      byName.set(object.name, [...(byName.get(object.name) ?? []), object]);
    assert.deepEqual(
      readdirSync(dir).sort((a, b) => a.localeCompare(b)),
      [...byName.keys()]
        .map((name) => `${name.replace(':', '.')}.csv`)
        .concat('columns.csv')
        .sort((a, b) => a.localeCompare(b)),
    );
    const [, ...columns] = rowsOf(readFileSync(join(dir, 'columns.csv'), 'utf8'));
    for (const [name, objects] of byName) {
      const file = `${name.replace(':', '.')}.csv`;
      const [header, ...rows] = rowsOf(readFileSync(join(dir, file), 'utf8'));
      const fields = trace.format(name)?.fields ?? [];
      assert.deepEqual(
        header?.slice(6),
        fields.map((field) => field.name),
      );
      assert.deepEqual(
        columns.filter(([of]) => of === file).map(([, , column]) => column),
        header,
      );
      assert.deepEqual(rows, objects.map(cells), name);
    }
    await trace.close();
    const types = columns
      .filter(([, event]) => event === 'sched:sched_switch')
      .map(([, , column, type]) => [column, type]);
    assert.deepEqual(types.slice(6, 9), [
      ['prev_comm', 'text'],
      ['prev_pid', 'int32'],
      ['prev_prio', 'int32'],
    ]);
    assert.ok(
      readFileSync(join(dir, 'sched.sched_switch.csv'), 'latin1').includes(`"${oddName.replace('"', '""')}"`),
    );
  });

  it('refuses several types in one file, and writes none', async (test) => {
    const dir = scratchDir(test);
    const trace = await openTrace(oddRecording(test));
    await assert.rejects(exportCsvFile(trace, join(dir, 'a.csv')), {
      name: 'Failure',
      message: /one event type.*"ftrace:function" and/,
    });
    assert.deepEqual(readdirSync(dir), []);
    await exportCsvFile(trace, join(dir, 'a.csv'), { filter: { events: ['sched:sched_switch'] } });
    assert.equal(rowsOf(readFileSync(join(dir, 'a.csv'), 'utf8')).length, 1 + 907);
    await trace.close();
  });

  it('has a table for the events of several machines, with the fields of all of them', async (test) => {
    const format = 'events/sched/sched_switch/format';
    const contents = new Map(await sampleContents('A'));
    const text = contents.get(format)!.toString('latin1');
    const other = text
      .replace('pid_t prev_pid;', 'pid_t prev_thread;')
      .replace('int next_prio;', 'long next_prio;');
    assert.notEqual(other, text);
    contents.set(format, Buffer.from(other, 'latin1'));
    const [plain, changed] = [oddRecording(test), recordingDir(test)];
    writeFileSync(join(changed, 'metadata.tar.gz'), await packContents(contents));

    const session = await openSession([plain, changed]);
    const [first, second] = session.machines;
    const objects: { readonly machine: string; readonly object: EventObject }[] = [];
    const filter = { events: ['sched:sched_switch'] };
    for await (const batch of session.events(filter))
      for (const event of batch) objects.push({ machine: event.machine, object: event.toObject() });
    const dir = scratchDir(test);
    const file = join(dir, 'a.csv');
    await exportCsvFile(session, file, { filter });
    const [header, ...rows] = rowsOf(readFileSync(file, 'utf8'));
    const names = first!.trace.format('sched:sched_switch')!.fields.map(({ name }) => name);
    const common = ['_ts', '_cpu', '_tid', '_comm', '_guest', '_instance', '_machine'];
    assert.deepEqual(header, [...common, ...names, 'prev_thread']);
    assert.equal(rows.length, 2 * 907);
    for (const [index, { machine, object }] of objects.entries()) {
      const own = (name: string) => (name in object.fields ? String(object.fields[name]) : '');
      const [time, , , , guest, , of, ...fields] = rows[index]!;
      assert.deepEqual([time, guest, of], [String(object.timestamp), 'A', machine]);
      assert.deepEqual(fields, [...names, 'prev_thread'].map(own));
    }
    assert.deepEqual(new Set(objects.map(({ machine }) => machine)), new Set([first!.name, second!.name]));

    const tables = join(dir, 'tables');
    const { events } = await exportCsvDirectory(session, tables);
    assert.equal(events, 2 * 21_843);
    assert.equal(readFileSync(join(tables, 'sched.sched_switch.csv'), 'utf8'), readFileSync(file, 'utf8'));
    const columns = rowsOf(readFileSync(join(tables, 'columns.csv'), 'utf8'))
      .filter(([name]) => name === 'sched.sched_switch.csv')
      .map(([, event, column, type]) => [event, column, type]);
    assert.deepEqual(
      columns.map(([, column]) => column),
      header,
    );
    assert.deepEqual(columns.at(-1), ['sched:sched_switch', 'prev_thread', 'int32']);
    await session.close();
  });

  it('does not write into a directory with files', async (test) => {
    const dir = scratchDir(test);
    const trace = await openTrace(oddRecording(test));
    writeFileSync(join(dir, 'mine'), '');
    await assert.rejects(exportCsvDirectory(trace, dir), { name: 'Failure', message: /is not empty$/ });
    await trace.close();
    assert.deepEqual(readdirSync(dir), ['mine']);
  });
});

describe('a file name of an event', () => {
  const nameOf = (system: string, name: string, id = 7): string =>
    fileNameOf(id, parseEventFormat(system, `name: ${name}\nID: ${id}\nformat:\n`));

  it('is its own if it is plain, and never a path', () => {
    assert.equal(nameOf('sched', 'sched_switch'), 'sched.sched_switch');
    assert.equal(nameOf('..', '../etc/passwd'), '__.___etc_passwd.7');
    assert.notEqual(nameOf('a', 'b/c', 1), nameOf('a', 'b.c', 2));
    assert.ok(nameOf('s'.repeat(255), 'n'.repeat(255)).length < 255);
    assert.equal(fileNameOf(9, undefined), 'unknown.event.9');
  });
});
