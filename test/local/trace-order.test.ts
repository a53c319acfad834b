// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { EventCatalogue } from '../../src/trace/format/event-catalogue.ts';
import { eventsOf } from '../../src/trace/ring/events.ts';
import { parsePageLayout } from '../../src/trace/ring/page-layout.ts';
import { pagesOf } from '../../src/trace/ring/page-splitter.ts';
import type { StopAnswer, TraceSource } from '../../src/protocol/control.ts';
import { namesToSave, thisMachine } from '../../src/tracefs/metadata/task-names.ts';
import { Tracefs } from '../../src/tracefs/tracefs.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { inScene, type Scene } from './harness/scene.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();

const settings = [
  'tracing_on',
  'trace_clock',
  'current_tracer',
  'buffer_size_kb',
  'buffer_percent',
  'options/record-tgid',
  'set_event',
  'events/sched/sched_switch/filter',
  'events/sched/sched_wakeup/filter',
];

function settingsOf(tracefs: Tracefs): Record<string, string> {
  return Object.fromEntries(settings.map((name) => [name, tracefs.read(name).trim()]));
}

function sourceOf({ instance, clock, pageBytes }: TraceSource): TraceSource {
  return { instance, clock, pageBytes };
}

/** Every event of sched except one. */
function everyOther(event: string, { tracefs }: Scene): string[] {
  return tracefs.eventsOf('sched').flatMap((name) => (name === event ? [] : [`sched:${name}`]));
}

/** A tracer that an instance can have here; without any, `nop`, which also restarts workers. */
function usableTracer(tracefs: Tracefs): string {
  for (const tracer of tracefs.availableTracers().filter((name) => name !== 'nop')) {
    try {
      tracefs.write('current_tracer', tracer);
      tracefs.write('current_tracer', 'nop');
      return tracer;
    } catch {
      // try the next one
    }
  }
  return 'nop';
}

/** Names of the events in all that arrived. */
function eventNames(scene: Scene, tracefs: Tracefs): Set<string | undefined> {
  const layout = parsePageLayout(tracefs.read('events/header_page'));
  const formats = ['sched:sched_switch', 'sched:sched_wakeup', 'ftrace:print'].map((name) => name.split(':'));
  const texts = formats.map(([system, name]): [string, string] => [
    `events/${system}/${name}/format`,
    tracefs.read(`events/${system}/${name}/format`),
  ]);
  const catalogue = new EventCatalogue(texts);
  const names = new Set<string | undefined>();
  for (const cpu of scene.cpus)
    for (const { name } of eventsOf(pagesOf(scene.port(cpu).received(), layout.pageBytes), layout, catalogue))
      names.add(name);
  return names;
}

/** Waits until everything that the agent has sent has arrived; asserts that it is not nothing. */
async function allSent(scene: Scene, { ledger }: StopAnswer): Promise<void> {
  const bytes = scene.cpus.reduce((sum, cpu) => sum + (ledger[cpu]?.bytesOut ?? 0), 0);
  assert.ok(bytes > 0, JSON.stringify(ledger));
  await until('what was sent', () => scene.receivedBytes >= bytes, 60_000);
}

describe('a start order with a trace', { skip }, () => {
  holdMachine();

  it(
    'applies its settings while it runs, and restores exactly the previous state at the stop',
    inScene(async (scene) => {
      const { tracefs } = scene;
      const control = await scene.addControlPty();
      await scene.startReady();
      tracefs.write('tracing_on', '0');
      tracefs.write('events/sched/sched_wakeup/filter', 'prio < 50');
      const before = settingsOf(tracefs);
      const answer = await control.order('start', {
        trace: {
          events: ['sched:sched_switch'],
          filters: { 'sched:sched_switch': 'prev_pid != 0' },
          clock: 'boot',
          bufferKb: 2048,
          bufferPercent: 10,
        },
      });
      assert.equal(answer.state, 'running');
      const source = { instance: scene.instance, clock: 'boot', pageBytes: tracefs.pageBytes() };
      assert.deepEqual(sourceOf(answer), source);
      assert.deepEqual(sourceOf(await control.order('status')), source);
      const during = settingsOf(tracefs);
      assert.equal(during['tracing_on'], '1');
      assert.match(during['trace_clock'] ?? '', /\[boot\]/);
      // the kernel rounds it to whole sub-buffers
      assert.ok(Math.abs(Number(during['buffer_size_kb']) - 2048) < 20, during['buffer_size_kb']);
      assert.equal(during['buffer_percent'], '10');
      assert.equal(during['options/record-tgid'], '1');
      // newer kernels list the filter after the event's name
      assert.match(during['set_event'] ?? '', /^sched:sched_switch\b/);
      assert.equal(during['events/sched/sched_switch/filter'], 'prev_pid != 0');
      spawnSync('true');
      const stopped = await control.order('stop');
      assert.equal(stopped.state, 'stopped');
      assert.deepEqual(sourceOf(stopped), source, 'what the pages are from, though the clock is put back');
      assert.deepEqual(settingsOf(tracefs), before);
      assert.equal((await control.order('status')).clock, tracefs.clocks().current);
      await allSent(scene, stopped);
      assert.deepEqual([...eventNames(scene, tracefs)], ['sched:sched_switch']);
    }),
  );

  it(
    'sends only the requested events, also if it arrives while an earlier stop restores settings',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      await scene.startReady();
      // the content of the agent's own rings must not be sent
      const [writer] = scene.writers();
      assert.ok(writer);
      await writer.write(2000);
      const trace = { instance: `${scene.instance}-order`, events: ['sched:sched_switch'] };
      let sent: StopAnswer | undefined;
      for (const delayMs of [0, 20, 60, 100, 150, 200, 300]) {
        await control.order('start', { trace });
        control.send(`{"id":"stop${delayMs}","order":"stop"}\n`);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        control.send(`{"id":"start${delayMs}","order":"start","trace":{"events":["sched:nothing"]}}\n`);
        const stopped = await control.answer(`stop${delayMs}`);
        assert.ok(
          'ledger' in stopped && stopped.state === 'stopped',
          `a start ${delayMs} ms behind the stop`,
        );
        sent = stopped;
        assert.equal((await control.answer(`start${delayMs}`)).ok, false);
      }
      assert.ok(sent);
      await allSent(scene, sent);
      for (const cpu of scene.cpus) {
        assert.deepEqual(scene.arrived(cpu).markersOf(cpu), [], 'markers of other rings');
      }
    }),
  );

  it(
    'can name a separate instance, which is created, read and removed',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const other = `${scene.instance}-order`;
      const trace = { instance: other, events: ['sched'], eventsOff: everyOther('sched_switch', scene) };
      assert.equal((await control.order('start', { trace })).instance, other);
      assert.deepEqual(scene.instances.toSorted(), [scene.instance, other]);
      assert.ok(new Tracefs(scene.tracefs.root, other).tracingOn());
      spawnSync('true');
      const workers = agent.workers.map(({ pid }) => pid);
      const stopped = await control.order('stop');
      assert.equal(stopped.instance, other);
      assert.equal((await control.order('status')).instance, scene.instance);
      assert.deepEqual(scene.instances, [scene.instance]);
      await allSent(scene, stopped);
      assert.deepEqual([...eventNames(scene, scene.tracefs)], ['sched:sched_switch']);
      // back in the agent's own instance
      const writers = scene.writers();
      for (const writer of writers) await writer.write(10);
      await control.order('start');
      assert.equal(agent.workers.filter(({ pid }) => workers.includes(pid)).length, 0);
      const { ledger } = await control.order('stop');
      for (const { cpu } of writers) assert.equal(ledger[cpu]?.ring?.readEvents, 10);
    }),
  );

  it(
    'includes writes to the top-level trace_marker, if the kernel copies them',
    inScene(async (scene) => {
      const top = new Tracefs(scene.tracefs.root);
      if (top.readIfThere('options/copy_trace_marker') === undefined) return;
      const control = await scene.addControlPty();
      await scene.startReady();
      const other = `${scene.instance}-order`;
      await control.order('start', { trace: { instance: other, events: ['sched:sched_process_hang'] } });
      top.write('trace_marker', 'of the top level');
      const stopped = await control.order('stop');
      await allSent(scene, stopped);
      assert.deepEqual([...eventNames(scene, scene.tracefs)], ['ftrace:print']);
    }),
  );

  it(
    'can set a tracer, which the kernel accepts only while no ring is open',
    inScene(async (scene) => {
      const { tracefs } = scene;
      const tracer = usableTracer(tracefs);
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const before = agent.workers.map(({ pid }) => pid);
      const writers = scene.writers();
      for (const writer of writers) await writer.write(5);
      await control.order('start');
      await control.order('start', { trace: { tracer } });
      assert.equal(tracefs.currentTracer(), tracer);
      for (const writer of writers) await writer.write(5);
      await control.order('stop');
      const after = agent.workers.map(({ pid }) => pid);
      assert.equal(after.length, 2);
      assert.deepEqual(
        after.filter((pid) => before.includes(pid)),
        [],
      );
      await scene.allArrive(writers);
      assert.equal(tracefs.currentTracer(), 'nop');
    }),
  );

  it(
    'makes the kernel save more task names, until the agent ends',
    inScene(async (scene) => {
      const top = new Tracefs(scene.tracefs.root);
      const saved = () => Number(top.read('saved_cmdlines_size'));
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const before = saved();
      assert.ok(before < namesToSave(thisMachine()), 'something else has raised it');
      await control.order('start', { trace: { clock: 'boot' } });
      assert.equal(saved(), before, 'nothing is traced that has names');
      await control.order('start', { trace: { events: ['sched:sched_switch'] } });
      assert.ok(saved() >= namesToSave(thisMachine()));
      await control.order('stop');
      assert.ok(saved() > before, 'a new size forgets all names, and the host has yet to ask for them');
      agent.signal('SIGTERM');
      assert.equal((await agent.exit()).code, 0);
      assert.equal(saved(), before);
    }),
  );

  it(
    'replaces the previous one',
    inScene(async (scene) => {
      const { tracefs } = scene;
      const control = await scene.addControlPty();
      await scene.startReady();
      const before = settingsOf(tracefs);
      await control.order('start', { trace: { events: ['sched:sched_switch'], clock: 'boot' } });
      await control.order('start', { trace: { events: ['sched:sched_wakeup'] } });
      const during = settingsOf(tracefs);
      assert.match(during['set_event'] ?? '', /^sched:sched_wakeup\b/);
      assert.equal(during['trace_clock'], before['trace_clock']);
      await control.order('stop');
      assert.deepEqual(settingsOf(tracefs), before);
    }),
  );

  it(
    'that is invalid is refused with an error code, and nothing is changed',
    inScene(async (scene) => {
      const control = await scene.addControlPty();
      const agent = await scene.startReady();
      const before = settingsOf(scene.tracefs);
      const good = { clock: 'boot', bufferKb: 2048, events: ['sched:sched_switch'] };
      const refused: [trace: object, code: string, names: RegExp][] = [
        [{ ...good, events: ['sched:sched_swich'] }, 'unknown-event', /sched:sched_swich/],
        [{ ...good, eventsOff: ['sched:nosuchevent'] }, 'unknown-event', /sched:nosuchevent/],
        [{ ...good, events: ['nosuchsystem'] }, 'unknown-event', /nosuchsystem/],
        [{ ...good, filters: { 'sched:sched_switch': 'prev_pud != 0' } }, 'bad-filter', /sched:sched_switch/],
        [{ ...good, clock: 'sundial' }, 'unknown-clock', /sundial/],
        [{ ...good, tracer: 'radio' }, 'unknown-tracer', /radio/],
        [{ ...good, bufferKb: 0 }, 'bad-trace', /bufferKb/],
        [{ ...good, instance: '../escape' }, 'bad-trace', /instance/],
        [{ ...good, instance: `${scene.instance}-x`, clock: 'sundial' }, 'unknown-clock', /sundial/],
      ];
      for (const [trace, code, names] of refused) {
        const error = await control.refusal({ order: 'start', trace });
        assert.equal(error.code, code, error.message);
        assert.match(error.message, names);
        assert.deepEqual(settingsOf(scene.tracefs), before, code);
        assert.deepEqual(scene.instances, [scene.instance]);
        assert.equal((await control.order('status')).state, 'stopped');
      }
      assert.equal(agent.said('started'), 0);
    }),
  );
});
