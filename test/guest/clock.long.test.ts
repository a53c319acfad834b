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
      for (let round = 0; round < 10; round++) {
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
    for (let second = 0; second < seconds; second++) {
      await sleep(1000);
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

/** Times of what a vCPU's thread does when its guest kicks a queue: on the host it wakes QEMU, between two guest times. */
interface Kicks {
  readonly wakes: readonly (readonly bigint[])[];
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

/** By how much a map is wrong at least, in ns, for each wake-up that lies within one kick or close to it. */
function errorsOf(map: ClockMap, { wakes, kicks }: Kicks): { error: number; bound: number; width: number }[] {
  return wakes.flatMap((times, vcpu) =>
    times.flatMap((time) => {
      const near = kicks[vcpu]!.map(([begin, end]) => {
        const [from, to] = [map.at(begin), map.at(end)];
        const error = Math.max(0, Number(from.ns - time), Number(time - to.ns));
        return { error, bound: Math.max(from.boundNs, to.boundNs), width: Number(to.ns - from.ns) };
      }).reduce((best, each) => (each.error < best.error ? each : best), {
        error: Infinity,
        bound: 0,
        width: 0,
      });
      return near.error < 1e6 ? [near] : [];
    }),
  );
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
  const used = pings.filter((_, index) => index % 3 !== 1);
  const alignment = Alignment.of({ pings: used });
  assert.ok(alignment !== undefined);
  const { origin, vcpus } = await readHostTimes(host.events(), host.formats(), tids);
  const exclusion = new Exclusion(alignment.map, vcpus, {
    hostOrigin: origin,
    guestOrigin: alignment.map.head.guest,
  });
  await takeGuestEvents(trace.events(), exclusion);
  const map = alignment.refined(exclusion);
  const kicks = await kicksOf(recorded);
  for (const [name, each] of [
    ['ping', alignment.map],
    ['refined', map],
  ] as const) {
    const { pieces } = each;
    const errors = errorsOf(each, kicks);
    const outside = errors.filter(({ error, bound }) => error > bound);
    const within = errors.filter(({ error }) => error === 0);
    const worst = errors.reduce((most, { error }) => Math.max(most, error), 0);
    context.diagnostic(
      `${name}: ${JSON.stringify(pieces, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`,
    );
    const widths = errors.map(({ width }) => width).sort((a, b) => a - b);
    context.diagnostic(
      `${name}: ${errors.length} kicks, ${within.length} within, ${outside.length} beyond the bound, ` +
        `worst ${worst} ns, width of a kick ${widths[widths.length >> 1]} ns, bound ${each.boundAt(map.samples()[map.samples().length >> 1]!.guest)} ns`,
    );
    for (const { hostBefore, guest, hostAfter } of pings) {
      const { ns, boundNs } = each.at(guest);
      assert.ok(
        ns + BigInt(boundNs) >= hostBefore && ns - BigInt(boundNs) <= hostAfter,
        `a ping at ${guest}`,
      );
    }
    assert.ok(errors.length > 20, `${errors.length} kicks`);
    assert.equal(outside.length, 0, JSON.stringify(outside.slice(0, 5)));
  }
  assert.ok(map.pieces.every(({ methods }) => methods.includes('exclusion')));
});
