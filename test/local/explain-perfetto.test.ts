import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { explainSession } from '../../src/analysis/explain/explain-session.ts';
import type { Explanation, Stretch, VcpuStretch, Wait } from '../../src/analysis/explain/result.ts';
import { exitCode } from '../../src/base/failure.ts';
import { exportExplanation } from '../../src/export/perfetto/export-explanation.ts';
import { exportPerfetto } from '../../src/export/perfetto/export-perfetto.ts';
import { openSession } from '../../src/trace/session.ts';
import { repoRoot } from '../repo-root.ts';
import { plainGuest, plainHost, type SessionOptions } from '../simulator/session/options.ts';
import { simulateSession } from '../simulator/session/simulate.ts';
import { writeSession } from '../simulator/session/trace/session-files.ts';
import { scratchDir, sessionFiles } from '../unit/trace/samples.ts';
import { toolSkip } from './harness/skip.ts';
import { decodePerfetto, type Message, messages, valueIn } from './perfetto-decode.ts';

const program = join(repoRoot, 'dist/bin/trace-host.js');
const worst = 40;

/** Two guests on few CPUs, which take each other's time, with everything that can hold up a vCPU. */
const options: SessionOptions = {
  seed: 7,
  durationNs: 3e7,
  host: { ...plainHost, cpus: 2, hogs: 2 },
  guests: [
    { ...plainGuest, pauses: [{ at: 1e7, ns: 2e6 }] },
    { ...plainGuest, name: 'db', ratePpm: -150, throttle: { everyNs: 5e6, ns: 1e6 } },
  ],
};

/** A slice as the file has it. */
interface Slice {
  /** Names of its track and of the groups around it, the outermost first. */
  readonly path: readonly string[];
  readonly track: string;
  readonly name: string;
  readonly category: string;
  readonly annotations: Readonly<Record<string, string | number | boolean>>;
  readonly flows: readonly bigint[];
  readonly flowEnds: readonly bigint[];
  /** Index of its packet. */
  readonly at: number;
  readonly begin: bigint;
  end: bigint;
  readonly children: Slice[];
}

/** The slices of a decoded file that are not in others. Checks that they nest, and are in the order of time. */
function slicesOf(decoded: Message): Slice[] {
  const tracks = new Map<string, { readonly path: string[]; at: bigint; readonly open: Slice[] }>();
  const slices: Slice[] = [];
  for (const [at, packet] of messages(decoded, 'packet').entries()) {
    const [descriptor] = messages(packet, 'track_descriptor');
    const [event] = messages(packet, 'track_event');
    if (descriptor === undefined && event === undefined) continue;
    assert.equal(valueIn(packet, 'machine_id'), undefined, 'flows do not lead to other machines');
    if (descriptor !== undefined) {
      const [id, parent] = [valueIn(descriptor, 'uuid'), valueIn(descriptor, 'parent_uuid')];
      assert.ok(!tracks.has(String(id)));
      assert.equal(valueIn(packet, 'sequence_flags'), tracks.size === 0 ? 1n : undefined);
      const above = parent === undefined ? [] : tracks.get(String(parent))!.path;
      tracks.set(String(id), { path: [...above, String(valueIn(descriptor, 'name'))], at: 0n, open: [] });
      continue;
    }
    const track = tracks.get(String(valueIn(event, 'track_uuid')))!;
    const time = BigInt(valueIn(packet, 'timestamp') ?? -1);
    assert.ok(time >= track.at, `${track.path.join(' / ')}: ${time} after ${track.at}`);
    track.at = time;
    if (valueIn(event, 'type') === 'TYPE_SLICE_END') {
      const slice = track.open.pop();
      assert.ok(slice !== undefined && time > slice.begin);
      slice.end = time;
      continue;
    }
    assert.equal(valueIn(event, 'type'), 'TYPE_SLICE_BEGIN');
    const slice: Slice = {
      path: track.path,
      track: String(valueIn(event, 'track_uuid')),
      name: String(valueIn(event, 'name')),
      category: String(valueIn(event, 'categories')),
      annotations: annotationsOf(event!),
      flows: idsIn(event!, 'flow_ids'),
      flowEnds: idsIn(event!, 'terminating_flow_ids'),
      at,
      begin: time,
      end: -1n,
      children: [],
    };
    (track.open.at(-1)?.children ?? slices).push(slice);
    track.open.push(slice);
  }
  for (const { open, path } of tracks.values()) assert.equal(open.length, 0, path.join(' / '));
  return slices;
}

function idsIn(event: Message, field: string): bigint[] {
  return (event.get(field) ?? []).filter((id) => typeof id === 'bigint');
}

function annotationsOf(event: Message): Slice['annotations'] {
  return Object.fromEntries(
    messages(event, 'debug_annotations').map((annotation) => {
      const [text, int, bool] = ['string_value', 'int_value', 'bool_value'].map((key) =>
        valueIn(annotation, key),
      );
      const value = typeof text === 'string' ? text : int === undefined ? bool === 'true' : Number(int);
      return [String(valueIn(annotation, 'name')), value];
    }),
  );
}

interface Compared {
  readonly explanation: Explanation;
  readonly vcpus: readonly VcpuStretch[];
  readonly slices: readonly Slice[];
}

/** Exports a session, and explains it again for comparison. */
async function exported(test: TestContext, host: string): Promise<Compared> {
  const session = await openSession(host);
  const dir = scratchDir(test);
  const path = join(dir, 'waits.pftrace');
  const { explanation, report, cutWaits } = await exportExplanation(session, path, { explain: { worst } });
  assert.equal(cutWaits, 0);
  const vcpus: VcpuStretch[] = [];
  const again = await explainSession(session, {
    worst,
    stretches: true,
    onVcpuStretch: (stretch) => void vcpus.push(stretch),
  });
  assert.deepEqual(again, explanation);
  const plain = await exportPerfetto(session, join(dir, 'plain.pftrace'));
  assert.deepEqual({ ...report, bytes: plain.bytes }, plain);
  const bytes = readFileSync(path);
  assert.equal(report.bytes, bytes.length);
  assert.ok(bytes.subarray(0, plain.bytes).equals(readFileSync(join(dir, 'plain.pftrace'))), 'all events');
  const decoded = decodePerfetto(path, [], dir);
  const ids = new Set(
    messages(decoded, 'packet')
      .filter((packet) => packet.has('track_event') || packet.has('track_descriptor'))
      .map((packet) => valueIn(packet, 'trusted_packet_sequence_id')),
  );
  assert.deepEqual(ids, new Set([BigInt(session.machines.length + 1)]), 'a sequence of their own');
  await session.close();
  return { explanation: again, vcpus, slices: slicesOf(decoded) };
}

function causeOf({ kind, machine, task, tid, prio, number, name, cpu, inferred }: Stretch): object {
  const all = { kind, machine, task, tid, prio, number, name, cpu, inferred };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

function assertCause(slice: Slice, stretch: Stretch): void {
  assert.deepEqual([slice.begin, slice.end, slice.category], [stretch.beginNs, stretch.endNs, stretch.kind]);
  assert.deepEqual(slice.annotations, causeOf(stretch));
  if (stretch.task !== null && stretch.tid !== 0)
    assert.ok(slice.name.endsWith(` ${stretch.task}:${stretch.tid}`), slice.name);
  assert.equal(slice.children.length, 0);
}

/** Whether somebody can be named who took the time. */
function hasThief({ kind, tid }: Stretch): boolean {
  if (['preempted', 'woken-behind', 'guest-task'].includes(kind)) return tid !== 0;
  return kind === 'other-vcpu' || kind.endsWith('irq') || kind === 'hypervisor';
}

function assertSame({ explanation, vcpus, slices }: Compared): void {
  const root = 'waits and their causes';
  const isOf = (end: string) => (slice: Slice) => slice.path.at(-1)!.endsWith(end);

  // why vCPUs did not run
  const ofVcpus = slices.filter(isOf(' not running'));
  for (const { guest, vcpu } of vcpus)
    assert.ok(
      ofVcpus.some(({ path }) => path[1] === guest),
      `${vcpu}`,
    );
  const keys = new Set(vcpus.map(({ guest, vcpu }) => `${guest} ${vcpu}`));
  for (const key of keys) {
    const [guest, vcpu] = key.split(' ');
    const path = [root, guest, `vCPU ${vcpu} not running`].join(' / ');
    const own = ofVcpus.filter((slice) => slice.path.join(' / ') === path);
    const stretches = vcpus.filter((each) => each.guest === guest && String(each.vcpu) === vcpu);
    assert.equal(own.length, stretches.length, path);
    for (const [index, stretch] of stretches.entries()) assertCause(own[index]!, stretch);
  }
  assert.equal(ofVcpus.length, vcpus.length);

  // the waits, and their causes in them
  const ofWaits = slices.filter(isOf(' waits'));
  assert.equal(ofWaits.length, explanation.waits.length);
  const thieves = new Map(slices.filter(isOf(' delays others')).map((slice) => [slice.flows[0], slice]));
  let flows = 0;
  for (const [index, wait] of explanation.waits.entries()) {
    const slice = ofWaits.find(({ annotations }) => annotations['rank'] === index + 1)!;
    assertWait(slice, wait, index + 1);
    assert.deepEqual(slice.path, [root, wait.machine, `${wait.task}:${wait.tid} waits`]);
    const { stretches = [] } = wait;
    assert.equal(slice.children.length, stretches.length);
    for (const [at, stretch] of stretches.entries()) {
      const child = slice.children[at]!;
      assertCause(child, stretch);
      assert.deepEqual(child.flows, []);
      assert.equal(child.flowEnds.length, hasThief(stretch) ? 1 : 0);
      const [flow] = child.flowEnds;
      if (flow === undefined) continue;
      flows++;
      // from the thief
      const thief = thieves.get(flow);
      assert.ok(thief !== undefined);
      assert.ok(thief.at < child.at, 'a flow begins before it ends');
      assert.deepEqual([thief.begin, thief.end], [child.begin, child.end]);
      assert.deepEqual(thief.path.slice(0, 2), [root, stretch.machine]);
      assert.equal(thief.category, stretch.kind);
      assert.equal(thief.name, `delays ${wait.machine} ${wait.task}:${wait.tid}`);
      // an interrupt that is no device's has a name only
      const { task, tid, number, name } = stretch;
      const who = String(number ?? (tid === null ? name : `${task}:${tid}`));
      assert.ok(thief.path.at(-1)!.includes(who), `${thief.path.at(-1)} ${who}`);
      assert.equal(thief.annotations['delayed tid'], wait.tid);
    }
  }
  // each flow has one beginning and one end
  assert.equal(thieves.size, flows);
  assert.equal(slices.length, ofVcpus.length + ofWaits.length + flows);
  const others = [...ofVcpus, ...ofWaits].flatMap((slice) => [...slice.flows, ...slice.flowEnds]);
  assert.deepEqual(others, []);
}

function assertWait(slice: Slice, wait: Wait, rank: number): void {
  const { machine, task, tid, prio, cpu, kind, isDue, isOver } = wait;
  assert.deepEqual([slice.begin, slice.end, slice.category], [wait.dueNs, wait.endNs, 'wait']);
  assert.deepEqual(slice.annotations, {
    rank,
    kind,
    machine,
    task,
    tid,
    ...(prio !== null && { prio }),
    cpu,
    isDue,
    isOver,
  });
}

describe('an explanation in a Perfetto file, as protoc decodes it', { skip: toolSkip('protoc') }, () => {
  it('has the causes of simulated waits, and flows from the thieves', async (test) => {
    const host = await writeSession(scratchDir(test), simulateSession(options));
    const compared = await exported(test, host);
    assertSame(compared);
    const { explanation, vcpus } = compared;
    assert.equal(explanation.waits.length, worst);
    const kinds = new Set(vcpus.map(({ kind }) => kind));
    for (const kind of ['paused', 'preempted', 'woken-behind', 'other-vcpu', 'asleep', 'hypervisor'] as const)
      assert.ok(kinds.has(kind), kind);
    const own = new Set(explanation.waits.flatMap(({ causes }) => causes.map(({ kind }) => kind)));
    for (const kind of ['preempted', 'guest-task', 'guest-softirq'] as const) assert.ok(own.has(kind), kind);
  });

  it('has those of real recordings', async (test) => {
    const threads = [
      [132, 133],
      [135, 117],
    ] as const;
    const compared = await exported(test, await sessionFiles(test, threads));
    assertSame(compared);
    assert.equal(compared.explanation.waits.length, worst);
    const kinds = new Set(compared.vcpus.map(({ kind }) => kind));
    for (const kind of ['woken-behind', 'other-vcpu', 'asleep', 'host-softirq'] as const)
      assert.ok(kinds.has(kind), kind);
  });
});

describe('exportExplanation', () => {
  it('reports its progress, and leaves nothing behind when it is cancelled', async (test) => {
    const session = await openSession(await sessionFiles(test));
    const dir = scratchDir(test);
    const path = join(dir, 'waits.pftrace');
    const done: number[] = [];
    const totals = new Set<number>();
    await exportExplanation(session, path, {
      onProgress: ({ doneBytes, totalBytes }) => {
        done.push(doneBytes);
        totals.add(totalBytes);
      },
    });
    const twice = session.machines.reduce((sum, { trace }) => sum + 2 * trace.read.totalBytes, 0);
    assert.deepEqual([...totals], [twice]);
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.ok(done.at(-1)! >= twice / 2 && done.at(-1)! <= twice);
    rmSync(path);
    const stop = new AbortController();
    const onProgress = (): void => stop.abort(new Error('stopped'));
    await assert.rejects(
      exportExplanation(session, path, { signal: stop.signal, onProgress }),
      /^Error: stopped/,
    );
    await session.close();
    assert.deepEqual(readdirSync(dir), []);
  });
});

describe('trace-host explain --perfetto', () => {
  async function scene(test: TestContext) {
    const host = await sessionFiles(test);
    const cwd = dirname(host);
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [program, 'explain', basename(host), ...args], { cwd, encoding: 'utf8' });
    return { run, cwd };
  }

  it('prints what it prints without, and names the file', async (test) => {
    const { run, cwd } = await scene(test);
    const { stdout, stderr, status } = run('--perfetto', 'waits.pftrace');
    assert.equal(status, exitCode.done, stderr);
    assert.equal(stderr, '');
    const text = run().stdout;
    assert.ok(stdout.startsWith(text));
    assert.match(stdout.slice(text.length), /^waits\.pftrace: \d+ events, [\d.]+ [KM]iB\n/);
    const { size } = statSync(join(cwd, 'waits.pftrace'));
    assert.equal(run('--json', '--perfetto', 'w.pftrace.gz').stdout, run('--json').stdout);
    assert.ok(statSync(join(cwd, 'w.pftrace.gz')).size < size / 2);
  });

  it('writes the time that is explained', async (test) => {
    const { run } = await scene(test);
    const events = (...times: string[]): number => {
      const { stdout, stderr } = run('--perfetto', 'waits.pftrace', ...times);
      const [, count] = /^waits\.pftrace: (\d+) events/m.exec(stdout) ?? [];
      assert.ok(count !== undefined, stderr);
      return Number(count);
    };
    const all = events();
    const [first, last] = [events('--to', '+100ms'), events('--from', '+100ms')];
    assert.ok(first > 0 && last > 0, `${first} ${last}`);
    assert.ok(first + last <= all + 10 && first + last >= all - 10, `${first} + ${last} of ${all}`);
  });

  it('refuses a file that it must not write, and leaves nothing behind', async (test) => {
    const { run, cwd } = await scene(test);
    const before = readdirSync(cwd).sort();
    const refused = (out: string, text: RegExp): void => {
      const { stdout, stderr, status } = run('--perfetto', out);
      assert.equal(stdout, '');
      assert.match(stderr, text);
      assert.equal(status, exitCode.usage);
    };
    refused('-', /--perfetto: stdout has the waits — name a file/);
    refused('s-web.dat', /s-web\.dat is the input trace — specify another file with --perfetto\n/);
    refused('.', /\. is a directory — specify a file with --perfetto\n/);
    assert.notEqual(run('--perfetto', 'no/such/dir.pftrace').status, exitCode.done);
    assert.equal(run('--perfetto', 'x.pftrace', '--guest', 'mail').status, exitCode.usage);
    assert.deepEqual(readdirSync(cwd).sort(), before);
  });
});
