import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reportDifference, traceCmd, traceHost } from '../report/compare.ts';
import { shortOptions } from '../report/options.ts';
import { kinds, ReportGuest } from './support/report-guest.ts';

/** Kinds of events that must have happened, so that the comparison is worth something. */
const leastTypes = 150;

describe('trace-host report of a guest', { timeout: 900_000 }, () => {
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-report-'));
  let guest: ReportGuest;
  before(async () => {
    guest = await ReportGuest.restore();
  });
  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  test('many kinds of events are printed as trace-cmd does', async () => {
    const out = join(work, 'events.dat');
    const { eventsByName } = await guest.record(out, {
      ...kinds.events,
      meanwhile: '/tmp/many-events tasks signals files mounts network ring',
    });
    const types = Object.keys(eventsByName);
    assert.ok(types.length >= leastTypes, types.join());
    for (const args of shortOptions)
      assert.equal(await reportDifference(traceCmd, traceHost, [...args, '-i', out]), undefined);
  });

  test('so are all conversions of trace_printk, and markers', async () => {
    const out = join(work, 'printk.dat');
    const { eventsByName } = await guest.record(out, kinds.printk);
    for (const name of ['bprint', 'bputs', 'print', 'raw_data', 'kernel_stack'])
      assert.ok((eventsByName[`ftrace:${name}`] ?? 0) > 0, JSON.stringify(eventsByName));
    for (const args of shortOptions)
      assert.equal(await reportDifference(traceCmd, traceHost, [...args, '-i', out]), undefined);
  });
});
