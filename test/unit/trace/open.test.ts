import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { convert, type ConvertSettings } from '../../../src/trace/convert/convert.ts';
import type { EventObject } from '../../../src/trace/events/trace-event.ts';
import { type EventFilter, openTrace, type Trace } from '../../../src/trace/open.ts';
import { fixture, fixtureText } from './fixtures.ts';
import { recordingDir, sampleMetadata, samplePages, scratchDir, writeRaws } from './samples.ts';

async function opened(test: TestContext, path: string): Promise<Trace> {
  const trace = await openTrace(path);
  test.after(() => trace.close());
  return trace;
}

async function madeDat(
  test: TestContext,
  pages: Record<number, Uint8Array> = samplePages('A'),
  shape: Partial<ConvertSettings> = {},
): Promise<string> {
  const dir = scratchDir(test);
  const out = join(dir, 'trace.dat');
  await convert({ cpus: writeRaws(dir, pages), metadata: await sampleMetadata('A'), out, ...shape });
  return out;
}

async function objects(trace: Trace, filter?: EventFilter): Promise<EventObject[]> {
  const all: EventObject[] = [];
  for await (const batch of trace.events(filter)) for (const event of batch) all.push(event.toObject());
  return all;
}

/** `TASK-PID [CPU] SECONDS.MICROSECONDS: EVENT`, the beginning of a line of `trace-cmd report`. */
function lineOf({ timestamp, cpu, pid, task, name }: EventObject): string {
  const us = (timestamp + 500n) / 1000n;
  const seconds = `${us / 1_000_000n}.${String(us % 1_000_000n).padStart(6, '0')}`;
  return `${task ?? '<...>'}-${pid} [${String(cpu).padStart(3, '0')}] ${seconds}: ${name.replace(/^.*:/, '')}`;
}

/** The same part of a report's lines, without `CPU:N [N EVENTS DROPPED]`. */
function reportLines(): string[] {
  return fixtureText('A/report-trace-cmd-3.1.6.txt.gz')
    .split('\n')
    .map((line) => /^ *(\S.*-\d+) +(\[\d+\]) +(\d+\.\d{6}): (\w+):/.exec(line))
    .filter((match) => match !== null)
    .map(([, task, cpu, time, name]) => `${task} ${cpu} ${time}: ${name}`);
}

const shapes: Readonly<Record<string, (test: TestContext) => Promise<string>>> = {
  'a trace.dat of version 7': (test) => madeDat(test),
  'a compressed one': (test) => madeDat(test, samplePages('A'), { compress: 'zstd' }),
  'one of version 6': (test) => madeDat(test, samplePages('A'), { version: 6 }),
  "a recording's directory": (test) => Promise.resolve(recordingDir(test)),
};

describe('openTrace', () => {
  for (const [shape, make] of Object.entries(shapes))
    it(`reads the events of ${shape} in the order of trace-cmd report, with task, CPU and time`, async (test) => {
      const trace = await opened(test, await make(test));
      const events = await objects(trace);
      assert.deepEqual(events.map(lineOf), reportLines());
      assert.deepEqual(trace.buffers, [{ name: '', clock: 'global', timeUnit: 'ns', cpus: [0, 1] }]);
      assert.match(trace.uname, /6\.1\.0/);
    });

  it('returns the fields of an event, with types', async (test) => {
    const trace = await opened(test, await madeDat(test));
    const [first] = await objects(trace, { events: ['sched:sched_switch'] });
    const line = fixtureText('A/report-trace-cmd-3.1.6.txt.gz')
      .split('\n')
      .find((each) => each.includes(' sched_switch:'));
    const [, prev, prevPid, next, nextPid] = /sched_switch: +(.*):(\d+) \[.* ==> (.*):(\d+) \[/.exec(line!)!;
    assert.ok(first !== undefined);
    const { prev_comm, prev_pid, next_comm, next_pid } = first.fields;
    assert.deepEqual(
      [prev_comm, prev_pid, next_comm, next_pid],
      [prev, Number(prevPid), next, Number(nextPid)],
    );
    assert.equal(typeof first.fields['prev_state'], 'bigint');
    for await (const batch of trace.events({ events: ['sched:sched_switch'] }))
      for (const event of batch) {
        assert.equal(event.get('next_pid'), Number(nextPid));
        assert.equal(event.get('common_pid'), event.pid);
        assert.equal(event.get('no_such_field'), undefined);
        return;
      }
  });

  it('reads only the events that a filter selects', async (test) => {
    const trace = await opened(test, await madeDat(test));
    const all = await objects(trace);
    const from = all[5000]!.timestamp;
    const to = all[9000]!.timestamp;
    const expected = (keep: (event: EventObject) => boolean): EventObject[] => all.filter(keep);
    const isSched = ({ name }: EventObject): boolean => name.startsWith('sched:');
    assert.deepEqual(
      await objects(trace, { cpus: [1] }),
      expected(({ cpu }) => cpu === 1),
    );
    assert.deepEqual(
      await objects(trace, { from, to }),
      expected(({ timestamp }) => timestamp >= from && timestamp <= to),
    );
    assert.ok(expected(isSched).length > 100);
    assert.deepEqual(await objects(trace, { events: ['sched'] }), expected(isSched));
    assert.deepEqual(
      await objects(trace, { cpus: [0], from, events: ['sched'] }),
      expected((event) => event.cpu === 0 && event.timestamp >= from && isSched(event)),
    );
    assert.deepEqual(await objects(trace, { cpus: [7] }), []);
  });

  for (const [shape, make] of Object.entries(shapes))
    it(`tells which CPUs and times of a filter ${shape} does not have`, async (test) => {
      const trace = await opened(test, await make(test));
      assert.deepEqual(trace.cpus, [0, 1]);
      const { first, last } = trace.span()!;
      const all = { cpus: [], times: undefined };
      const none = { cpus: [], times: { first, last } };
      assert.deepEqual(trace.unmatched({}), all);
      assert.deepEqual(trace.unmatched({ cpus: [1, 7, 0, 7, 9] }), { ...all, cpus: [7, 9] });
      for (const [filter, expected] of [
        [{ from: last }, all],
        [{ from: last + 1n }, none],
        [{ to: first }, all],
        [{ to: first - 1n }, none],
        [{ from: first - 9n, to: first - 1n }, none],
        [{ from: last + 1n, to: last + 9n }, none],
        [{ from: first - 9n, to: last + 9n }, all],
        [{ from: last, to: first }, none],
        [
          { from: last, to: first, cpus: [7] },
          { ...none, cpus: [7] },
        ],
      ] as const) {
        assert.deepEqual(trace.unmatched(filter), expected);
        const isEmpty = (await objects(trace, filter)).length === 0;
        assert.equal(isEmpty, expected !== all, 'as events() has it');
      }
      assert.throws(() => trace.unmatched({ from: 1n, buffers: ['none'] }), /has no buffer "none"/);
    });

  it('reports how many events were lost, and where', async (test) => {
    const trace = await opened(test, await madeDat(test, { 0: fixture('lost-injected.raw.gz') }));
    const losses: (bigint | 'unknown')[] = [];
    for await (const batch of trace.events())
      for (const { lost } of batch) if (lost !== undefined) losses.push(lost);
    assert.deepEqual(losses, [1003n, 1007n, 1011n]);
  });

  it('returns the events before the fault of a bad page, reports that events were lost, and continues', async (test) => {
    const dir = recordingDir(test);
    const whole = await objects(await opened(test, dir), { cpus: [0] });
    const bytes = Buffer.from(readFileSync(join(dir, 'cpu0.raw')));
    // the second record of page 3: data with a length that is not a multiple of four
    const page = 3 * 4096;
    const second = page + 16 + 4 + (bytes[page + 16]! & 31) * 4;
    bytes.writeUInt32LE(0, second);
    bytes.writeUInt32LE(7, second + 4);
    writeFileSync(join(dir, 'cpu0.raw'), bytes);
    const trace = await opened(test, dir);
    const seen: EventObject[] = [];
    const marked: bigint[] = [];
    for await (const batch of trace.events({ cpus: [0] }))
      for (const event of batch) {
        if (event.lost === 'unknown') marked.push(event.timestamp);
        seen.push(event.toObject());
      }
    assert.equal(marked.length, 1);
    const at = seen.findIndex(({ timestamp }) => timestamp === marked[0]);
    assert.deepEqual(seen.slice(0, at), whole.slice(0, at));
    assert.deepEqual(seen.slice(at), whole.slice(at - seen.length));
    assert.ok(whole.length > seen.length);
  });

  it('reads each instance by its name, and all of them together', async (test) => {
    const path = join(scratchDir(test), 'two.dat');
    writeFileSync(path, fixture('unusual/two-instances-v6.dat.gz'));
    const trace = await opened(test, path);
    const count = async (buffers?: string[]): Promise<number> =>
      (await objects(trace, buffers === undefined ? {} : { buffers })).length;
    assert.deepEqual([await count(['']), await count(['inst']), await count()], [231, 116, 347]);
    const names = new Set<string>();
    for await (const batch of trace.events()) for (const { buffer } of batch) names.add(buffer);
    assert.deepEqual([...names].sort(), ['', 'inst']);
  });

  it('skips the rest of a batch, and closes its files when iteration stops early', async (test) => {
    const dir = recordingDir(test);
    const trace = await opened(test, dir);
    const all = await objects(trace);
    let batches = 0;
    const firsts: bigint[] = [];
    for await (const batch of trace.events()) {
      batches++;
      for (const { timestamp } of batch) {
        firsts.push(timestamp);
        break;
      }
    }
    assert.equal(batches, firsts.length);
    assert.deepEqual(
      firsts,
      [...new Set(firsts)].sort((a, b) => Number(a - b)),
    );
    assert.ok(firsts.every((time) => all.some(({ timestamp }) => timestamp === time)));
    for await (const batch of trace.events()) {
      assert.equal(filesOpenIn(dir), 2);
      for (const _ of batch) break;
      break;
    }
    assert.equal(filesOpenIn(dir), 0);
  });

  it('supports two iterations at once', async (test) => {
    const trace = await opened(test, await madeDat(test, samplePages('A'), { compress: 'zstd' }));
    const [one, other] = await Promise.all([objects(trace), objects(trace, { cpus: [1] })]);
    assert.deepEqual(
      other,
      one.filter(({ cpu }) => cpu === 1),
    );
  });

  it('reports what is unreadable or not in the trace, and what to do', async (test) => {
    const path = await madeDat(test, samplePages('A'), { version: 6 });
    const trace = await opened(test, path);
    const failure = (message: RegExp, remedy: RegExp) => (error: unknown) =>
      error instanceof Failure && message.test(error.message) && remedy.test(error.remedy);
    assert.throws(
      () => trace.events({ events: ['sched:sched_swich'] }),
      failure(/trace\.dat has no event "sched:sched_swich"/, /sched:sched_switch/),
    );
    assert.throws(() => trace.events({ buffers: ['x'] }), failure(/has no buffer "x"/, /it has ""/));
    await assert.rejects(openTrace(join(path, '../none.dat')), failure(/none\.dat: /, /path/));
    truncateSync(path, statSync(path).size - 8192);
    const cut = await opened(test, path);
    await assert.rejects(objects(cut), failure(/trace\.dat: .*pages at \d+ to \d+ of \d+/, /./));
  });
});

function filesOpenIn(dir: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir);
    } catch {
      return false;
    }
  }).length;
}
