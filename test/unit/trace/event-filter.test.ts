import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { convert } from '../../../src/trace/convert/convert.ts';
import type { EventObject } from '../../../src/trace/events/trace-event.ts';
import { type EventFilter, openTrace, type Trace } from '../../../src/trace/open.ts';
import { PageCursor } from '../../../src/trace/ring/page-cursor.ts';
import { guestCatalogue, guestLayout } from './fixtures.ts';
import { sampleMetadata, samplePages, scratchDir, writeRaws } from './samples.ts';

async function opened(test: TestContext, pages = samplePages('A')): Promise<Trace> {
  const dir = scratchDir(test);
  const out = join(dir, 'trace.dat');
  await convert({ cpus: writeRaws(dir, pages), metadata: await sampleMetadata('A'), out });
  const trace = await openTrace(out);
  test.after(() => trace.close());
  return trace;
}

async function objects(trace: Trace, filter?: EventFilter): Promise<EventObject[]> {
  const all: EventObject[] = [];
  for await (const batch of trace.events(filter)) for (const event of batch) all.push(event.toObject());
  return all;
}

function usage(message: RegExp, remedy: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(error.exitCode, 2);
    assert.match(error.message, message);
    assert.match(error.remedy, remedy);
    return true;
  };
}

describe('EventFilter', () => {
  it('joins what it is given: several filters with or, everything else with and', async (test) => {
    const trace = await opened(test);
    const all = await objects(trace);
    const where = ['sched_switch: prev_pid == 0', 'sched_waking', 'irq'];
    const expected = all.filter(
      ({ name, fields, pid, cpu }) =>
        ((name === 'sched:sched_switch' && fields['prev_pid'] === 0) || name === 'sched:sched_waking') &&
        fields['prev_comm'] !== 'swapper/1' &&
        (pid === 0 || pid === 115) &&
        cpu === 0,
    );
    assert.ok(expected.length > 20);
    assert.deepEqual(
      await objects(trace, {
        where,
        exclude: ['sched_switch: prev_comm == "swapper/1"'],
        events: ['sched'],
        tasks: [0, 115],
        cpus: [0],
      }),
      expected,
    );
  });

  it('knows tasks by name: all threads of that name, and <idle>', async (test) => {
    const trace = await opened(test);
    const all = await objects(trace);
    for (const name of ['sh', '<idle>', 'trace-agent']) {
      const expected = all.filter(({ task }) => task === name);
      assert.ok(expected.length > 100, name);
      assert.deepEqual(await objects(trace, { tasks: [name] }), expected);
    }
    assert.deepEqual(
      await objects(trace, { tasks: ['sh', 115] }),
      all.filter(({ task, pid }) => task === 'sh' || pid === 115),
    );
  });

  it('refuses at once what the trace does not have, with similar names', async (test) => {
    const trace = await opened(test);
    const refused = (filter: EventFilter, message: RegExp, remedy: RegExp): void =>
      assert.throws(() => trace.events(filter), usage(message, remedy));
    refused({ tasks: ['trace-agnt'] }, /has no task "trace-agnt"$/, /did you mean "trace-agent"\?/);
    refused({ events: ['sched:sched_swich'] }, /has no event "sched:sched_swich"$/, /"sched:sched_switch"/);
    refused({ where: ['sched_switch: prev_pidd == 1'] }, /field "prev_pidd" at character 15$/, /"prev_pid"/);
    refused({ exclude: ['sched_swich'] }, /unknown event "sched_swich" at character 1$/, /sched_switch"/);
    refused({ buffers: ['x'] }, /has no buffer "x"$/, /it has ""/);
  });

  it('gives stack traces with the events that pass, on their CPU', async (test) => {
    const catalogue = await guestCatalogue();
    const stack = catalogue.byName('ftrace:kernel_stack')!.id;
    const [first, second] = Object.values(samplePages('A')).map((bytes) => Buffer.from(bytes));
    const wanted = new Set([
      catalogue.byName('sched:sched_switch')!.id,
      catalogue.byName('rcu:rcu_utilization')!.id,
    ]);
    const cursor = new PageCursor(await guestLayout());
    for (const pages of [first!, second!])
      for (let at = 0; at < pages.length; at += 4096) {
        cursor.load(pages.subarray(at, at + 4096));
        let wasWanted = false;
        while (cursor.next()) {
          if (cursor.kind !== 'data') continue;
          const id = cursor.view.getUint16(cursor.dataOffset, true);
          if (wasWanted) cursor.view.setUint16(cursor.dataOffset, stack, true);
          wasWanted = !wasWanted && wanted.has(id);
        }
      }
    const trace = await opened(test, { 0: first!, 1: second! });
    const all = await objects(trace);
    const before = new Map<number, string>();
    const expected: EventObject[] = [];
    for (const event of all) {
      const isSwitch = event.name === 'sched:sched_switch';
      if (
        isSwitch ||
        (event.name === 'ftrace:kernel_stack' && before.get(event.cpu) === 'sched:sched_switch')
      )
        expected.push(event);
      before.set(event.cpu, event.name);
    }
    const stacks = (events: readonly EventObject[]): number =>
      events.filter(({ name }) => name === 'ftrace:kernel_stack').length;
    assert.ok(stacks(expected) > 100 && stacks(expected) < stacks(all));
    assert.deepEqual(await objects(trace, { where: ['sched_switch'] }), expected);
    assert.equal(stacks(await objects(trace, { events: ['sched:sched_switch'] })), 0);
  });
});
