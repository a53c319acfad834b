import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { buffer as bytesOf } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exportPerfetto, type PerfettoOptions } from '../../src/export/perfetto/export-perfetto.ts';
import type { EventObject } from '../../src/trace/events/trace-event.ts';
import type { EventFormat } from '../../src/trace/format/event-format.ts';
import { type EventFilter, openTrace } from '../../src/trace/open.ts';
import { openSession } from '../../src/trace/session.ts';
import { fixtureText } from '../unit/trace/fixtures.ts';
import { recordingDir, scratchDir, sessionFiles } from '../unit/trace/samples.ts';
import { toolSkip } from './harness/skip.ts';
import { decodePerfetto, type Message, messages, valueIn } from './perfetto-decode.ts';

type Value = string | bigint | undefined;

/** An event of either side, in the same form. */
interface PlainEvent {
  readonly cpu: number;
  readonly name: string;
  readonly timestamp: bigint;
  readonly pid: bigint;
  readonly fields: Readonly<Record<string, Value>>;
}

function plain({ cpu, name, timestamp, pid, fields }: EventObject): PlainEvent {
  const values = Object.entries(fields).map(([field, value]): [string, Value] => {
    if (typeof value === 'number' || typeof value === 'bigint') return [field, BigInt(value)];
    if (typeof value === 'string') return [field, value];
    if (value instanceof Uint8Array) return [field, Buffer.from(value).toString('hex')];
    return [field, `[${value.join(',')}]`];
  });
  return { cpu, name, timestamp, pid: BigInt(pid), fields: Object.fromEntries(values) };
}

/** The events of a decoded file, each CPU's in order. */
function decodedEvents(trace: Message, formats: readonly EventFormat[], machineId?: bigint): PlainEvent[] {
  const byName = new Map(formats.map((format) => [format.name, format]));
  const byId = new Map(formats.map((format) => [format.id, format]));
  const found: PlainEvent[] = [];
  const packets = messages(trace, 'packet').filter((packet) => valueIn(packet, 'machine_id') === machineId);
  for (const bundle of packets.flatMap((packet) => messages(packet, 'ftrace_events'))) {
    const cpu = Number(valueIn(bundle, 'cpu'));
    for (const event of messages(bundle, 'event')) {
      const own = [...event.keys()].filter((key) => key !== 'timestamp' && key !== 'pid');
      assert.equal(own.length, 1, own.join());
      const [key = ''] = own;
      const [message] = messages(event, key);
      const id = /^\[perfetto\.protos\.event(\d+)\]$/.exec(key)?.[1];
      const isNamed = key === 'generic';
      const format =
        id !== undefined
          ? byId.get(Number(id))
          : byName.get(isNamed ? String(valueIn(message, 'event_name')) : key);
      assert.ok(format, key);
      const fields: [string, Value][] = isNamed
        ? messages(message, 'field').map((field) => [
            String(valueIn(field, 'name')),
            valueIn(field, 'str_value') ?? valueIn(field, 'int_value') ?? valueIn(field, 'uint_value'),
          ])
        : [...message!.keys()].map((field) => [
            id === undefined ? field : format.fields[Number(field.slice(1))]!.name,
            valueIn(message, field),
          ]);
      found.push({
        cpu,
        name: format.fullName,
        timestamp: BigInt(valueIn(event, 'timestamp') ?? -1),
        pid: BigInt(valueIn(event, 'pid') ?? -1),
        fields: Object.fromEntries(fields),
      });
    }
  }
  return found;
}

interface Exported {
  readonly events: readonly PlainEvent[];
  readonly source: readonly PlainEvent[];
  readonly decoded: Message;
}

/** One filter for all machines. */
type Options = PerfettoOptions & { readonly filter?: EventFilter };

async function exported(test: TestContext, out: string, options: Options = {}): Promise<Exported> {
  const dir = scratchDir(test);
  const trace = await openTrace(recordingDir(test));
  const path = join(dir, out);
  await exportPerfetto(trace, path, options);
  const source: PlainEvent[] = [];
  for await (const batch of trace.events(options.filter))
    for (const event of batch) source.push(plain(event.toObject()));
  const formats = trace.formats();
  await trace.close();
  const decoded = decodePerfetto(path, formats, dir);
  return { events: decodedEvents(decoded, formats), source, decoded };
}

function ofCpu(events: readonly PlainEvent[], cpu: number): PlainEvent[] {
  return events.filter((event) => event.cpu === cpu);
}

function assertSameEvents({ events, source }: Exported): void {
  assert.equal(events.length, source.length);
  for (const cpu of [0, 1]) {
    const [actual, expected] = [ofCpu(events, cpu), ofCpu(source, cpu)];
    for (const [index, event] of expected.entries())
      assert.deepEqual(actual[index], event, `${cpu} ${index}`);
  }
}

/** The tables of the stored answers of a real trace processor, by their first column's name. */
function storedAnswers(): Map<string, string[][]> {
  const tables = fixtureText('A/perfetto-queries-result.txt').trim().split('\n\n');
  return new Map(
    tables.map((table) => {
      const [head = '', ...rows] = table.split('\n');
      return [head.replaceAll('"', ''), rows.map(csvCells)];
    }),
  );
}

function csvCells(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|([^,]+)/g)].map(([, text, number]) => text ?? number ?? '');
}

/** The stored file's times, of clock `global`, were moved to the boot clock. */
const storedShift = 22_672_958_000n - 22_670_000_000n;

describe('a Perfetto export, as protoc decodes it', { skip: toolSkip('protoc') }, () => {
  it('has every event of A with all its fields', async (test) => {
    const result = await exported(test, 'A.pftrace');
    assert.equal(result.events.length, 21_843);
    assertSameEvents(result);
  });

  it('has them in the form for old versions, and compressed', async (test) => {
    assertSameEvents(await exported(test, 'A.pftrace.gz', { genericEvents: 'named' }));
  });

  it('has what passes the filter', async (test) => {
    const result = await exported(test, 'A.pftrace', { filter: { events: ['irq'], cpus: [1] } });
    assert.ok(result.events.length > 0);
    assertSameEvents(result);
  });

  it('describes every event that Perfetto does not know, in each bundle that has one', async (test) => {
    const { decoded } = await exported(test, 'A.pftrace');
    for (const bundle of messages(decoded, 'packet').flatMap((packet) => messages(packet, 'ftrace_events'))) {
      const used = new Set(messages(bundle, 'event').flatMap((event) => [...event.keys()]));
      const described = messages(bundle, 'generic_event_descriptors').map(
        (descriptor) => `[perfetto.protos.event${Number(valueIn(descriptor, 'field_id')) - 65_536}]`,
      );
      const generic = [...used].filter((key) => key.startsWith('['));
      assert.deepEqual(described.sort(), generic.sort());
    }
  });

  it("gives a real trace processor's stored answers", async (test) => {
    const { events, decoded } = await exported(test, 'A.pftrace');
    const answers = storedAnswers();
    assert.deepEqual(answers.get('n_ftrace'), [[String(events.length)]]);

    const counts = new Map<string, number>();
    for (const { name } of events) {
      const [, short = ''] = name.split(':');
      counts.set(short, (counts.get(short) ?? 0) + 1);
    }
    const stored = answers.get('name,n') ?? [];
    assert.equal(stored.length, 30);
    for (const [name = '', count] of stored) assert.equal(String(counts.get(name)), count, name);

    const switches = events.filter(({ name }) => name === 'sched:sched_switch');
    assert.deepEqual(answers.get('n_sched'), [[String(switches.length)]]);
    const perCpu = [0, 1].map((cpu) => {
      const times = ofCpu(switches, cpu).map(({ timestamp }) => timestamp - storedShift);
      // the last slice has no end, so the last switch is the end of the one before
      return [cpu, times.length, times[0], times.at(-1)].map(String);
    });
    assert.deepEqual(perCpu, answers.get('cpu,n,mn,mx'));
    assert.deepEqual(
      endStates(switches),
      new Map(answers.get('end_state,count(*)')?.map(([state = '', count = '']) => [state, count])),
    );

    const packets = messages(decoded, 'packet');
    const threads = packets
      .flatMap((packet) => messages(packet, 'process_tree'))
      .flatMap((tree) => messages(tree, 'threads'));
    const byTid = new Map(threads.map((thread) => [String(valueIn(thread, 'tid')), thread]));
    const [, ...named] = answers.get('tid,name,pid,pname') ?? [];
    for (const [tid = '', name, pid] of named) {
      assert.equal(valueIn(byTid.get(tid), 'name'), name);
      assert.equal(String(valueIn(byTid.get(tid), 'tgid')), pid);
    }
    assert.ok(named.length > 0);
    assert.equal(valueIn(byTid.get('117'), 'tgid'), 115n, 'a thread of the agent, by saved_tgids');

    const [utsname] = packets
      .flatMap((packet) => messages(packet, 'system_info'))
      .flatMap((info) => messages(info, 'utsname'));
    const system = new Map(
      (answers.get('name,str_value,int_value') ?? []).map(([name, text]) => [name, text]),
    );
    for (const part of ['version', 'release', 'machine'])
      assert.equal(valueIn(utsname, part), system.get(`system_${part}`), part);
    assert.equal(valueIn(utsname, 'sysname'), system.get('system_name'));
  });

  it('marks the one loss, and has the statistics of the rings', async (test) => {
    const { decoded } = await exported(test, 'A.pftrace');
    const packets = messages(decoded, 'packet');
    const lossy = packets
      .flatMap((packet) => messages(packet, 'ftrace_events'))
      .filter((bundle) => valueIn(bundle, 'lost_events') !== undefined);
    assert.deepEqual(
      lossy.map((bundle) => [valueIn(bundle, 'cpu'), valueIn(bundle, 'lost_events')]),
      [[0n, 'true']],
    );
    const [stats] = packets.flatMap((packet) => messages(packet, 'ftrace_stats'));
    assert.equal(valueIn(stats, 'phase'), 'END_OF_TRACE');
    assert.deepEqual(
      messages(stats, 'cpu_stats').map((cpu) =>
        ['cpu', 'overrun', 'read_events'].map((name) => valueIn(cpu, name)),
      ),
      [
        [0n, 35_899n, 12_336n],
        [1n, 0n, 9507n],
      ],
    );
  });

  it('is the same to a stream', async (test) => {
    const dir = scratchDir(test);
    const trace = await openTrace(recordingDir(test));
    await exportPerfetto(trace, join(dir, 'file.pftrace'));
    const stream = new PassThrough();
    const got = bytesOf(stream);
    await exportPerfetto(trace, stream);
    stream.end();
    await trace.close();
    assert.ok((await got).equals(readFileSync(join(dir, 'file.pftrace'))));
  });
});

describe('a host and its guests exported to Perfetto', { skip: toolSkip('protoc') }, () => {
  it('are machines of one file, with their own events, kernels and tasks', async (test) => {
    const session = await openSession(await sessionFiles(test));
    const dir = scratchDir(test);
    const path = join(dir, 's.pftrace');
    const report = await exportPerfetto(session, path);
    const formats = session.machines[0]!.trace.formats();
    const perMachine = 1 + Math.max(...formats.map(({ id }) => id));
    const ofMachine = (index: number): EventFormat[] =>
      // a format parses its fields when they are first read, so that a copy of it has none
      formats.map(({ id, system, name, fullName, fields, commonFields, unread, printFormat }) => ({
        id: id + index * perMachine,
        system,
        name,
        fullName,
        fields,
        commonFields,
        unread,
        printFormat,
      }));
    const decoded = decodePerfetto(
      path,
      session.machines.flatMap((_, index) => ofMachine(index)),
      dir,
    );
    let events = 0;
    for (const [index, { trace, name }] of session.machines.entries()) {
      const source: PlainEvent[] = [];
      for await (const batch of trace.events())
        for (const event of batch) source.push(plain(event.toObject()));
      const machineId = index === 0 ? undefined : BigInt(index);
      assertSameEvents({ events: decodedEvents(decoded, ofMachine(index), machineId), source, decoded });
      events += source.length;
      const packets = messages(decoded, 'packet').filter((each) => valueIn(each, 'machine_id') === machineId);
      const isIn = (key: string): boolean => packets.some((packet) => packet.has(key));
      for (const key of ['process_tree', 'system_info', 'ftrace_stats'])
        assert.ok(isIn(key), `${name}: ${key}`);
      assert.deepEqual(
        new Set(packets.map((packet) => valueIn(packet, 'trusted_packet_sequence_id'))),
        new Set([BigInt(index + 1)]),
      );
      assert.equal(
        packets.findIndex((packet) => packet.has('remote_clock_sync')),
        index === 0 ? -1 : 0,
      );
      const clocks = packets
        .flatMap((packet) => messages(packet, 'remote_clock_sync'))
        .flatMap((sync) => messages(sync, 'synced_clocks'));
      const times = ['client_clocks', 'host_clocks'].map((side) =>
        clocks.map((each) => {
          const [clock] = messages(messages(each, side)[0], 'clocks');
          return [valueIn(clock, 'clock_id'), valueIn(clock, 'timestamp')];
        }),
      );
      assert.deepEqual(times[0], times[1]);
      if (index > 0)
        assert.deepEqual(
          times[0],
          [source[0], source.at(-1)].map((event) => [6n, event?.timestamp]),
        );
    }
    await session.close();
    assert.equal(report.events, events);
  });

  it('show which threads of the host are vCPUs', async (test) => {
    const session = await openSession(
      await sessionFiles(test, [
        [132, 133],
        [117, 99_999],
      ]),
    );
    const dir = scratchDir(test);
    const path = join(dir, 's.pftrace');
    await exportPerfetto(session, path);
    await session.close();
    const packets = messages(decodePerfetto(path, [], dir), 'packet');
    const threads = [undefined, 1n].map((id) =>
      packets
        .filter((packet) => valueIn(packet, 'machine_id') === id)
        .flatMap((packet) => messages(packet, 'process_tree'))
        .flatMap((tree) => messages(tree, 'threads')),
    );
    const rows = threads.map((list) =>
      [117n, 132n, 133n, 99_999n].map((tid) => {
        const found = list.find((thread) => valueIn(thread, 'tid') === tid);
        return [valueIn(found, 'name'), valueIn(found, 'tgid')];
      }),
    );
    assert.deepEqual(rows[0], [
      ['vCPU 0 of db (trace-agent)', 117n],
      ['vCPU 0 of web (sh)', 132n],
      ['vCPU 1 of web (sh)', 133n],
      ['vCPU 1 of db', 99_999n],
    ]);
    assert.deepEqual(
      rows[1]!.map(([name]) => name),
      ['trace-agent', 'sh', 'sh', undefined],
    );
  });

  it('are filtered machine by machine', async (test) => {
    const session = await openSession(await sessionFiles(test));
    const dir = scratchDir(test);
    const path = join(dir, 's.pftrace');
    const formats = session.machines[0]!.trace.formats();
    const { events } = await exportPerfetto(session, path, {
      filter: ({ name }) =>
        name === 'web' ? undefined : { events: ['sched:sched_switch'], cpus: [name === 'db' ? 1 : 0] },
    });
    await session.close();
    const decoded = decodePerfetto(path, formats, dir);
    const found = [undefined, 1n, 2n].map((id) => decodedEvents(decoded, formats, id));
    assert.deepEqual(
      found.map((list) => [...new Set(list.map(({ cpu, name }) => `${name} ${cpu}`))]),
      [['sched:sched_switch 0'], [], ['sched:sched_switch 1']],
    );
    assert.equal(events, found.flat().length);
  });
});

/** How slices ended, counted; a slice has no end state if another task than its own was switched out. */
function endStates(switches: readonly PlainEvent[]): Map<string, string> {
  // TASK_REPORT of Linux 6.1's sched.h; 0x100 is the tracer's mark for a preempted task
  const letters = new Map([
    [0n, 'R'],
    [1n, 'S'],
    [2n, 'D'],
    [0x10n, 'X'],
    [0x20n, 'Z'],
    [0x80n, 'I'],
    [0x100n, 'R+'],
  ]);
  const counts = new Map<string, number>();
  for (const cpu of [0, 1]) {
    const own = ofCpu(switches, cpu);
    for (const [index, { fields }] of own.entries()) {
      const next = own[index + 1]?.fields;
      const isEnd = next !== undefined && next['prev_pid'] === fields['next_pid'];
      const state = isEnd ? (letters.get(BigInt(next['prev_state'] ?? -1)) ?? '?') : '[NULL]';
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
  }
  return new Map([...counts].map(([state, count]) => [state, String(count)]));
}
