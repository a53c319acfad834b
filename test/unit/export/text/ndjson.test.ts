import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { exportNdjson } from '../../../../src/export/text/export-ndjson.ts';
import type { EventObject } from '../../../../src/trace/events/trace-event.ts';
import type { FieldValue } from '../../../../src/trace/format/record-data.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { openSession } from '../../../../src/trace/session.ts';
import { scratchDir, sessionFiles } from '../../trace/samples.ts';
import { objectsOf, oddName, oddRecording } from '../odd-recording.ts';

function jsonValue(value: FieldValue | bigint): unknown {
  if (typeof value === 'bigint') {
    const isSafe = value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER;
    return isSafe ? Number(value) : String(value);
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'object' ? value.map(jsonValue) : value;
}

function jsonObject({ timestamp, cpu, pid, task, name, fields }: EventObject): Record<string, unknown> {
  const values = Object.entries(fields).map(([field, value]) => [field, jsonValue(value)]);
  return {
    ts: jsonValue(timestamp),
    cpu,
    pid,
    comm: task ?? null,
    event: name,
    fields: Object.fromEntries(values),
  };
}

describe('NDJSON', () => {
  it('has one object per event, in order, with all fields', async (test) => {
    const path = join(scratchDir(test), 'a.ndjson.gz');
    const trace = await openTrace(oddRecording(test));
    const { events, lost } = await exportNdjson(trace, path);
    const source = await objectsOf(trace);
    await trace.close();
    assert.deepEqual([events, lost], [21_843, 35_899n]);
    const text = gunzipSync(readFileSync(path)).toString();
    // oxlint-disable-next-line no-control-regex -- none of them may reach a terminal
    assert.doesNotMatch(text, /[^\n\x20-\x7e]/);
    const lines = text.trimEnd().split('\n');
    assert.equal(lines.length, source.length);
    let losses = 0;
    let odd = 0;
    for (const [index, event] of source.entries()) {
      const { lost: before, ...rest } = Object(JSON.parse(lines[index]!));
      assert.deepEqual(rest, jsonObject(event), lines[index]);
      if (before !== undefined) losses += before;
      if (event.fields['next_comm'] === oddName) odd++;
    }
    assert.equal(losses, 35_899);
    assert.ok(odd > 0);
  });

  it('has the events of several machines in the order of time, with the name of each', async (test) => {
    const path = join(scratchDir(test), 'a.ndjson');
    const session = await openSession(await sessionFiles(test));
    const filter = { events: ['sched'] };
    const source: unknown[] = [];
    for await (const batch of session.events(filter))
      for (const event of batch)
        source.push({ ...jsonObject(event.toObject()), machine: event.machine, lost: undefined });
    let done = 0;
    const onProgress = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) => {
      assert.ok(doneBytes >= done && doneBytes <= totalBytes);
      done = doneBytes;
    };
    const { events } = await exportNdjson(session, path, { filter, onProgress });
    const linesOf = () => readFileSync(path, 'utf8').trimEnd().split('\n');
    const rows = linesOf().map((line) => Object(JSON.parse(line)));
    assert.equal(events, source.length);
    assert.deepEqual(
      rows.map((row) => ({ ...row, lost: undefined })),
      source,
    );
    assert.deepEqual(new Set(rows.map(({ machine }) => machine)), new Set(['host', 'web', 'db']));
    assert.equal(
      done,
      session.machines.reduce((sum, { trace }) => sum + trace.read.totalBytes, 0),
    );

    // as each machine's filter says
    const some = await exportNdjson(session, path, {
      filter: ({ name }) => (name === 'host' ? undefined : filter),
    });
    assert.equal(some.events, rows.filter(({ machine }) => machine !== 'host').length);
    await exportNdjson(session.machines.slice(1, 2), path, { filter });
    assert.equal(linesOf().length, rows.filter(({ machine }) => machine === 'web').length);
    assert.ok(!linesOf()[0]!.includes('machine'), 'one machine has no name');
    await session.close();
  });
});
