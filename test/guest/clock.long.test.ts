// @alone it traces this machine's scheduler

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Alignment } from '../../src/clock/align.ts';
import type { ClockMap } from '../../src/clock/map/clock-map.ts';
import { Exclusion } from '../../src/clock/exclusion/pairs.ts';
import { readHostTimes, takeGuestEvents } from '../../src/clock/exclusion/trace-events.ts';
import type { PingSample } from '../../src/clock/map/observations.ts';
import { ControlClient } from '../../src/host/control/client.ts';
import { GuestDir } from '../../src/host/guest-dir/guest-dir.ts';
import { openTrace, type Trace } from '../../src/trace/open.ts';
import { convert } from '../../src/trace/convert/convert.ts';
import { readMetadataArchive } from '../../src/trace/metadata/archive.ts';
import { parseMetadata } from '../../src/trace/metadata/guest-metadata.ts';
import { Collector, restoreGuest } from './harness/index.ts';
import type { Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { traceHost } from './support/trace-host.ts';

const agentProgram = fileURLToPath(new URL('../../bin/trace-agent.js', import.meta.url));
const cpus = [0, 1];
const seconds = 8;

/** This host's scheduler events, traced in an instance of its own. */
class HostTrace {
  readonly #dir: string;
  readonly #instance: string;
  readonly #agent: ChildProcess;

  private constructor(dir: string, instance: string, agent: ChildProcess) {
    this.#dir = dir;
    this.#instance = instance;
    this.#agent = agent;
  }

  static async start(context: TestContext, dir: string): Promise<HostTrace> {
    const name = `clock-test-${process.pid}`;
    const instance = `/sys/kernel/tracing/instances/${name}`;
    mkdirSync(instance);
    context.after(() => rmdirSync(instance));
    writeFileSync(join(instance, 'trace_clock'), 'boot');
    writeFileSync(join(instance, 'buffer_size_kb'), '8192');
    const out = openSync(join(dir, 'host.framed'), 'w');
    const options = ['-o', '--framed', '--instance', name, '--start', '--log-format', 'json'];
    const agent = spawn(process.execPath, [agentProgram, ...options], { stdio: ['ignore', out, 'pipe'] });
    closeSync(out);
    let log = '';
    agent.stderr!.on('data', (bytes: Buffer) => {
      log += bytes.toString();
    });
    while (!log.includes('"msg":"started"') && agent.exitCode === null) await sleep(20);
    assert.match(log, /"msg":"started"/);
    for (const event of ['sched_switch', 'sched_waking'])
      writeFileSync(join(instance, 'events/sched', event, 'enable'), '1');
    return new HostTrace(dir, instance, agent);
  }

  async stop(context: TestContext): Promise<Trace> {
    writeFileSync(join(this.#instance, 'tracing_on'), '0');
    this.#agent.kill('SIGINT');
    await once(this.#agent, 'exit');
    const [framed, file] = [join(this.#dir, 'host.framed'), join(this.#dir, 'host.dat')];
    const { code, stderr } = await traceHost('convert', framed, '-o', file);
    assert.ok(code === 0, stderr);
    return opened(context, file);
  }
}

async function opened(context: TestContext, file: string): Promise<Trace> {
  const trace = await openTrace(file);
  context.after(() => trace.close());
  return trace;
}

interface Recorded {
  readonly host: Trace;
  readonly guest: Trace;
  readonly pings: readonly PingSample[];
  readonly tids: readonly number[];
  readonly qemu: number;
}

/** A guest under some load, recorded with its host, and pinged all the while. */
async function record(context: TestContext, guest: Guest, dir: string): Promise<Recorded> {
  const threads = await guest.qmp('query-cpus-fast');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- QMP's promise
  const tids = (threads as { 'thread-id': number }[]).map((cpu) => cpu['thread-id']);
  await guest.check(
    'cd /sys/kernel/tracing; echo "p:kick_begin vp_notify" > kprobe_events; echo "r:kick_end vp_notify" >> kprobe_events',
  );
  const collectors = cpus.map((cpu) => {
    const port = guest.port(`trace-path-cpu${cpu}`);
    return new Collector(`${port.path}.out`, join(dir, `cpu${cpu}.raw`));
  });
  for (const collector of collectors) await collector.open();
  const place = GuestDir.open({ dir: dirname(guest.port('agent-ctl-path').path), guest: undefined });
  const client = await ControlClient.open(place, { timeoutMs: 120_000 });
  try {
    const metadata = await client.metadata();
    const hostTrace = await HostTrace.start(context, dir);
    const pings: PingSample[] = [];
    const ping = async (): Promise<void> => {
      for (let round = 0; round < 25; round++) {
        const { sent, guest, received } = await client.ping();
        pings.push({ hostBefore: sent.boottime, guest: guest.boottime, hostAfter: received.boottime });
      }
    };
    await ping();
    await client.start({
      instance: 'clock',
      events: ['sched', 'irq', 'timer', 'kprobes'],
      clock: 'boot',
      bufferKb: 4096,
    });
    const load = await guest.spawn('while :; do ls -lR /sys/class > /dev/null; sleep 0.02; done');
    for (let round = 0; round < 2 * seconds; round++) {
      await sleep(500);
      await ping();
    }
    load.kill('SIGKILL', 'group');
    await load.wait();
    const { ledger } = await client.stop();
    await ping();
    for (const [at, collector] of collectors.entries())
      while (collector.bytes < (ledger[at]?.bytesOut ?? 0)) await sleep(50);
    for (const collector of collectors) await collector.close();
    const host = await hostTrace.stop(context);
    const file = join(dir, 'guest.dat');
    await convert({
      cpus: new Map(cpus.map((cpu) => [cpu, join(dir, `cpu${cpu}.raw`)])),
      metadata: parseMetadata(await readMetadataArchive([metadata])),
      out: file,
      clock: 'boot',
    });
    return { host, guest: await opened(context, file), pings, tids, qemu: guest.qemuPid };
  } finally {
    client.close();
    place.close();
  }
}

/** When a guest kicks a queue, its vCPU's thread wakes QEMU between two times of the guest. */
interface Kicks {
  /** Wake-ups of QEMU by each vCPU's thread, in the host's time; other things cause some too. */
  readonly wakes: readonly (readonly bigint[])[];
  /** Kicks by each of the guest's CPUs, in the guest's time. */
  readonly kicks: readonly (readonly (readonly [begin: bigint, end: bigint])[])[];
}

async function kicksOf({ host, guest, tids, qemu }: Recorded): Promise<Kicks> {
  const wakes: bigint[][] = tids.map(() => []);
  for await (const batch of host.events({ events: ['sched:sched_waking'] }))
    for (const event of batch)
      if (event.get('pid') === qemu) wakes[tids.indexOf(event.pid)]?.push(event.timestamp);
  const kicks: [bigint, bigint][][] = tids.map(() => []);
  const begun: (bigint | undefined)[] = [];
  for await (const batch of guest.events({ events: ['kprobes'] }))
    for (const event of batch) {
      const { cpu, timestamp, name } = event;
      const begin = begun[cpu];
      if (name === 'kprobes:kick_end' && begin !== undefined) kicks[cpu]?.push([begin, timestamp]);
      begun[cpu] = name === 'kprobes:kick_begin' ? timestamp : undefined;
    }
  return { wakes, kicks };
}

interface Measured {
  /** Shifts of the map, in ns, with which most wake-ups lie within a kick. */
  readonly from: number;
  readonly to: number;
  readonly most: number;
  readonly at: (shift: number) => number;
}

const narrowNs = 100_000n;
const nearNs = 1e6;

/**
 * How wrong a map is, by wake-ups and kicks, which it was not made of. Not every wake-up comes from a kick, but with the
 * right shift more of them lie within one than with any other.
 */
function measured(map: ClockMap, { wakes, kicks }: Kicks): Measured {
  const ends: [shift: number, step: 1 | -1][] = [];
  for (const [vcpu, times] of wakes.entries())
    for (const [begin, end] of kicks[vcpu]!.filter(([begin, end]) => end - begin < narrowNs)) {
      const [from, to] = [map.toHost(begin), map.toHost(end)];
      for (const time of times) {
        const [low, high] = [Number(time - to), Number(time - from)];
        if (high > -nearNs && low < nearNs) ends.push([low, 1], [high, -1]);
      }
    }
  ends.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [count, most, from, to] = [0, 0, 0, 0];
  for (const [i, [shift, step]] of ends.entries()) {
    count += step;
    if (count > most) [most, from, to] = [count, shift, ends[i + 1]![0]];
  }
  const at = (shift: number): number =>
    ends.reduce((sum, [end, step]) => (end <= shift ? sum + step : sum), 0);
  return { from, to, most, at };
}

test('the clock of a real guest', { timeout: 900_000 }, async (context) => {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-clock-'));
  const guest = await restoreGuest({ cpus: cpus.length, running: GuestAgent.running() });
  context.after(async () => {
    await guest.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const recorded = await record(context, guest, dir);
  const { host, guest: trace, pings, tids } = recorded;
  // every third ping is kept to judge by
  const alignment = Alignment.of({ pings: pings.filter((_, index) => index % 3 !== 1) });
  assert.ok(alignment !== undefined);
  const { origin, vcpus } = await readHostTimes(host.events(), host.formats(), tids);
  const guestOrigin = alignment.map.head.guest;
  const exclusion = new Exclusion(alignment.map, vcpus, { hostOrigin: origin, guestOrigin });
  await takeGuestEvents(trace.events(), exclusion);
  const map = alignment.refined(exclusion);
  for (const each of [alignment.map, map])
    for (const { hostBefore, guest, hostAfter } of pings) {
      const { ns, boundNs } = each.at(guest);
      assert.ok(
        ns + BigInt(boundNs) >= hostBefore && ns - BigInt(boundNs) <= hostAfter,
        `a ping at ${guest}`,
      );
    }

  const { first, last } = trace.span()!;
  const middle = (first + last) / 2n;
  const kicks = await kicksOf(recorded);
  for (const [name, each] of Object.entries({ pings: alignment.map, exclusion: map })) {
    const { from, to, most } = measured(each, kicks);
    const bound = each.boundAt(middle);
    context.diagnostic(`${name}: ± ${bound} ns; off by ${from} to ${to} ns, as ${most} wake-ups say`);
    assert.ok(from <= bound && to >= -bound, `${name}: off by ${from} to ${to}, not by ${bound}`);
  }
  assert.deepEqual(
    map.pieces.map(({ methods }) => methods),
    [['ping', 'exclusion']],
  );
  assert.ok(map.boundAt(middle) < alignment.map.boundAt(middle) / 3);
  const { most, at } = measured(map, kicks);
  assert.ok(most >= 5, `${most} wake-ups in kicks`);
  for (const shift of [-200_000, 200_000]) assert.ok(at(shift) < most / 2, `${at(shift)} of ${most}`);
});
