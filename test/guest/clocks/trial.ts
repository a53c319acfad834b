import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { linkSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isObject } from '../../../src/base/json-type.ts';
import { clockNs } from '../../../src/native/clock.ts';
import { openTrace, type Trace } from '../../../src/trace/open.ts';
import { type ClockPing, pingsFile, readPings } from '../../../src/trace/recording/clock-files.ts';
import type { Guest } from '../harness/index.ts';
import { parsedReports, type Recorded, startRecord } from '../support/recording.ts';

/** Name of the port whose other end in the guest is `startMarking`'s loop. */
export const markPort = 'marks';
const instance = 'trial';
const tracing = '/sys/kernel/tracing';
const markEveryMs = 100;

/** What a machine does while it is recorded: files are listed, with pauses. */
const busy = (dir: string): string => `while :; do ls -lR ${dir} > /dev/null; sleep 0.02; done`;

/** A marker in the guest's trace, between two readings of the host's clock. */
export interface Mark {
  readonly before: bigint;
  readonly after: bigint;
}

/** A recording of host and guest by `trace-host record`, and what it is judged by. */
export interface Trial {
  readonly host: Trace;
  /** With the guest's own times, and with those of the host as the file says. */
  readonly guest: Trace;
  readonly shifted: Trace;
  readonly pings: readonly ClockPing[];
  /** Host thread of each vCPU; process of QEMU. */
  readonly tids: readonly number[];
  readonly qemu: number;
  /** By the text of the marker. */
  readonly marks: ReadonlyMap<string, Mark>;
  /** The clock as `record --json` reports it. */
  readonly stated: NonNullable<Recorded['clock']>[number];
  close(): Promise<void>;
}

/** Prepares a guest for trials: kprobes around kicks of queues, an instance, and a loop that writes markers. */
export async function prepareTrials(guest: Guest): Promise<void> {
  await guest.check(
    `cd ${tracing}; mkdir instances/${instance}; echo "p:kick_begin vp_notify" > kprobe_events; ` +
      'echo "r:kick_end vp_notify" >> kprobe_events',
  );
  await guest.end(markPort).listen();
  // the marker is written right before the port
  await guest.spawn(
    `exec 3<>/dev/virtio-ports/${markPort}; while read -r text <&3; do ` +
      `echo "$text" > ${tracing}/instances/${instance}/trace_marker; echo "$text" >&3; done`,
  );
}

/** Records host and guest for some seconds, idle or with load on both, into `dir`. */
export async function runTrial(
  guest: Guest,
  dir: string,
  { seconds, load }: { readonly seconds: number; readonly load: boolean },
): Promise<Trial> {
  const portsDir = dirname(guest.port('agent-ctl-path').path);
  const name = basename(portsDir);
  const out = join(dir, 't.dat');
  const guestOut = join(dir, `t-${name}.dat`);
  const events = ['-e', 'sched', '-e', 'irq', '-e', 'timer', '-e', 'kprobes'];
  const args = ['-e', 'sched', '-A', name, '-B', instance, ...events, '--json'];
  const threads = await guest.qmp('query-cpus-fast');
  assert.ok(Array.isArray(threads));
  const tids = threads.filter(isObject).map((cpu) => Number(cpu['thread-id']));

  const run = startRecord(dirname(portsDir), out, dir, args);
  await run.said('recording;');
  const guestLoad = load ? await guest.spawn(busy('/sys/class')) : undefined;
  const hostLoad = load ? spawn('/bin/sh', ['-c', busy('/usr/share')], { detached: true }) : undefined;
  let marks: ReadonlyMap<string, Mark>;
  try {
    marks = await markFor(guest, seconds, () => run.child.exitCode !== null);
    // the recording is removed when it is in the file; a link keeps its pings
    if (run.child.exitCode === null) linkSync(join(`${guestOut}.recording`, pingsFile), join(dir, pingsFile));
  } finally {
    guestLoad?.kill('SIGKILL', 'group');
    if (hostLoad?.pid !== undefined) process.kill(-hostLoad.pid, 'SIGKILL');
    run.child.kill('SIGINT');
  }
  const { code, stdout, stderr } = await run.ended;
  await guestLoad?.wait();
  assert.equal(code, 0, stderr);
  const [stated] = parsedReports(stdout)[0]?.clock ?? [];
  assert.ok(stated, stdout);
  const pings = readPings(dir);
  rmSync(join(dir, pingsFile));

  const host = await openTrace(out);
  const own = await openTrace(guestOut, { hostTimes: false });
  const shifted = await openTrace(guestOut);
  return {
    host,
    guest: own,
    shifted,
    pings,
    tids,
    qemu: guest.qemuPid,
    marks,
    stated,
    close: async () => {
      for (const trace of [host, own, shifted]) await trace.close();
      for (const file of [out, guestOut]) rmSync(file);
    },
  };
}

/** Has markers written in the guest, and reads the host's clock before it asks for each and after the answer. */
async function markFor(
  guest: Guest,
  seconds: number,
  isOver: () => boolean,
): Promise<ReadonlyMap<string, Mark>> {
  const port = guest.end(markPort);
  const marks = new Map<string, Mark>();
  for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs && !isOver(); ) {
    const text = `mark-${marks.size}`;
    const before = clockNs('boottime');
    await port.send(`${text}\n`);
    assert.equal(await port.received.line(), text);
    marks.set(text, { before, after: clockNs('boottime') });
    await sleep(markEveryMs);
  }
  return marks;
}
