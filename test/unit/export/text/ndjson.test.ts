import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { exportNdjson } from '../../../../src/export/text/export-ndjson.ts';
import type { EventObject } from '../../../../src/trace/events/trace-event.ts';
import type { FieldValue } from '../../../../src/trace/format/record-data.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { scratchDir } from '../../trace/samples.ts';
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
});
