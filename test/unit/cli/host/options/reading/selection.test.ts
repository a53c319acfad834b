import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Command } from 'commander';
import * as fc from 'fast-check';
import { Failure } from '../../../../../../src/base/failure.ts';
import { Given } from '../../../../../../src/cli/host/options/given.ts';
import { hostSettings } from '../../../../../../src/cli/host/options/host-settings.ts';
import {
  eventFilter,
  readSelection,
  type Selection,
  selectionNames,
} from '../../../../../../src/cli/host/options/reading/selection.ts';
import { parseTimePoint, timeOf } from '../../../../../../src/cli/host/options/reading/time-point.ts';
import { addSetting } from '../../../../../../src/cli/options/setting.ts';
import { convert } from '../../../../../../src/trace/convert/convert.ts';
import { openTrace, type Trace } from '../../../../../../src/trace/open.ts';
import { sampleMetadata, samplePages, scratchDir, writeRaws } from '../../../../trace/samples.ts';

/** What a command with these options reads from a command line. */
function selected(...argv: string[]): Selection {
  const command = new Command('report').exitOverride();
  const names = [...selectionNames, 'exclude'] as const;
  for (const name of names) addSetting(command, hostSettings[name]);
  const given = new Given(command, names);
  command.parse(argv, { from: 'user' });
  return readSelection(given, 'exclude');
}

async function opened(test: TestContext, clock?: string): Promise<Trace> {
  const dir = scratchDir(test);
  const out = join(dir, 'trace.dat');
  const cpus = writeRaws(dir, samplePages('A'));
  await convert({ cpus, metadata: await sampleMetadata('A'), out, ...(clock !== undefined && { clock }) });
  const trace = await openTrace(out);
  test.after(() => trace.close());
  return trace;
}

function refused(work: () => unknown, message: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.exitCode, 2);
    assert.match(error.message, message);
    assert.notEqual(error.remedy, '');
    return true;
  });
}

describe('options that select events', () => {
  it('become a filter, which has only what was given', () => {
    assert.deepEqual(selected(), { filter: {}, from: undefined, to: undefined });
    const line =
      '--cpu 0-2,5 --task sh --task 115 --event sched --event irq/irq_handler_entry --instance= --instance web --filter irq';
    const { filter } = selected('-F', 'sched: prio < 100', ...line.split(' '));
    assert.deepEqual(filter, {
      cpus: [0, 1, 2, 5],
      tasks: ['sh', 115],
      events: ['sched', 'irq:irq_handler_entry'],
      buffers: ['', 'web'],
      where: ['sched: prio < 100', 'irq'],
    });
  });

  it('exclude by the filters after -v, as trace-cmd does', () => {
    const { filter } = selected('-F', 'a', '-F', 'b', '-v', '-F', 'c', '--cpu', '1', '-F', 'd');
    assert.deepEqual(filter, { cpus: [1], where: ['a', 'b'], exclude: ['c', 'd'] });
    assert.deepEqual(selected('-v', '-F', 'c').filter, { exclude: ['c'] });
  });

  it('refuse what cannot be', () => {
    refused(() => selected('--cpu', 'x'), /--cpu/);
    refused(() => selected('--task', ''), /--task/);
    refused(() => selected('--event', 'a:b:c'), /--event/);
    refused(() => selected('--instance', 'a/b'), /--instance/);
    for (const time of ['', 'x', '-1', '1.', '1.2.3', '1 s', 'last', 'last2s', '+', '1d', '1.1234567891'])
      refused(() => selected(`--from=${time}`), /--from.* is not a time/);
  });

  it('take a time as the report prints it, from the first event on, or back from the last', async (test) => {
    const trace = await opened(test);
    const { first, last } = trace.span()!;
    const range = (...argv: string[]) => {
      const { from, to } = eventFilter(trace, selected(...argv));
      return { from, to };
    };
    assert.deepEqual(range('--from', '+2.5s', '--to', '+3'), {
      from: first + 2_500_000_000n,
      to: first + 3_000_000_000n,
    });
    assert.deepEqual(range('--from', 'last 20ms'), { from: last - 20_000_000n, to: undefined });
    assert.deepEqual(range('--from', 'last 1h'), { from: 0n, to: undefined });
    assert.deepEqual(range('--to', '12.5', '--from', '4'), { from: 4_000_000_000n, to: 12_500_000_000n });
    assert.deepEqual(range('--from', '2.602227', '--to', '2.602227'), {
      from: 2_602_226_500n,
      to: 2_602_227_499n,
    });
    assert.deepEqual(range('--from', '2.602227000', '--to', '2.602227001s'), {
      from: 2_602_227_000n,
      to: 2_602_227_001n,
    });
    assert.deepEqual(range('--from', '+1.5m', '--to', '+7us'), {
      from: first + 90_000_000_000n,
      to: first + 7000n,
    });
    const shifted = eventFilter(trace, selected('--from', '5', '--to', '+1s'), 2_000_000_000n);
    assert.deepEqual(shifted, { from: 3_000_000_000n, to: first + 1_000_000_000n });
    refused(() => range('--from', '1.5ns'), /--from "1.5ns" has more than nanosecond precision/);
  });

  it('take whole numbers for a clock that counts no time', async (test) => {
    const trace = await opened(test, 'x86-tsc');
    const { first, last } = trace.span()!;
    assert.deepEqual(eventFilter(trace, selected('--from', '+100', '--to', 'last 5')), {
      from: first + 100n,
      to: last - 5n,
    });
    assert.deepEqual(eventFilter(trace, selected('--from', '7')), { from: 7n });
    for (const time of ['1.5', '+2s', 'last 2ms'])
      refused(() => eventFilter(trace, selected('--from', time)), /does not count seconds/);
  });

  it('filter by the names of functions', async (test) => {
    const trace = await opened(test);
    const functions = new Set<unknown>();
    for await (const batch of trace.events(
      eventFilter(trace, selected('-F', 'function: parent_ip == "path_openat"')),
    ))
      for (const event of batch) functions.add(event.get('parent_ip'));
    assert.equal(functions.size, 1);
  });

  it('count back from the last event of the CPUs and buffers that are selected', async (test) => {
    const trace = await opened(test);
    const ends = [0, 1].map((cpu) => trace.span({ cpus: [cpu] })!.last);
    assert.notEqual(ends[0], ends[1]);
    for (const cpu of [0, 1])
      assert.equal(
        eventFilter(trace, selected('--cpu', String(cpu), '--from', 'last 1s')).from,
        ends[cpu]! - 1_000_000_000n,
      );
    assert.deepEqual(eventFilter(trace, selected('--cpu', '7', '--from', 'last 1s')), { cpus: [7] });
    refused(() => eventFilter(trace, selected('--instance', 'x', '--from', 'last 1s')), /has no buffer "x"/);
  });

  it('select all that the report prints with a time, and only that', () => {
    fc.assert(
      fc.property(fc.bigInt(1000n, 1n << 63n), (time) => {
        const us = (time + 500n) / 1000n;
        const printed = `${us / 1_000_000n}.${String(us % 1_000_000n).padStart(6, '0')}`;
        const point = parseTimePoint(printed, '--from');
        const [from, to] = [timeOf(point, 'from', 'ns', undefined), timeOf(point, 'to', 'ns', undefined)];
        assert.ok(from <= time && time <= to);
        for (const other of [from - 1n, to + 1n]) assert.notEqual((other + 500n) / 1000n, us);
      }),
    );
  });
});
