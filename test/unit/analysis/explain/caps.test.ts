import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeCode, kind } from '../../../../src/analysis/explain/scene/causes.ts';
import { Entities } from '../../../../src/analysis/explain/scene/entities.ts';
import { causeKinds } from '../../../../src/analysis/explain/result.ts';
import { Nesting } from '../../../../src/analysis/explain/scene/nesting.ts';
import { MachineState } from '../../../../src/analysis/explain/scene/state.ts';
import { Timeline } from '../../../../src/analysis/explain/scene/timeline.ts';
import { type Happened, played, waitsOf } from './made-scene.ts';

test('entities beyond the limit are one', () => {
  const entities = new Entities(4);
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => entities.at(entities.add('host', { name })).name),
    ['a', 'b', 'others, beyond the limit'],
  );
  assert.equal(entities.dropped, 1);
});

test('a renamed task is another entity, an unchanged one the same', () => {
  const entities = new Entities();
  const task = new MachineState('web', false, entities).task(7);
  task.name = 'sh';
  const first = task.entity(entities);
  assert.equal(task.entity(entities), first);
  task.name = 'nginx';
  const second = task.entity(entities);
  assert.deepEqual([entities.at(first).task, entities.at(second).task], ['sh', 'nginx']);
});

test('a task with another priority is another entity, and the first one again with its own', () => {
  const entities = new Entities();
  const task = new MachineState('host', true, entities).task(7);
  task.prio = 120;
  const first = task.entity(entities);
  task.prio = 49;
  const second = task.entity(entities);
  assert.deepEqual([entities.at(first).prio, entities.at(second).prio], [120, 49]);
  task.prio = 120;
  assert.equal(task.entity(entities), first);
});

test('tasks beyond the limit are one', () => {
  const entities = new Entities();
  const machine = new MachineState('web', false, entities);
  for (let tid = 1; tid <= 1 << 15; tid++) machine.task(tid);
  const [one, other] = [machine.task(1 << 20), machine.task(1 << 21)];
  assert.equal(one, other);
  assert.equal(entities.at(one.entity(entities)).name, 'a task beyond the limit');
  assert.equal(machine.tasksDropped, 2);
  assert.equal(machine.task(1).tid, 1);
});

test('a timeline keeps the newest changes, and what is before is told apart', () => {
  const timeline = new Timeline(1 << 10);
  for (let time = 0; time < 5000; time++) timeline.push(time * 10, time, 0);
  const taken: [number, number][] = [];
  const firstKept = (5000 - 1024) * 10;
  timeline.slice(firstKept - 30, firstKept + 25, (code, _, ns) => taken.push([code, ns]));
  assert.deepEqual(taken, [
    [-1, 30],
    [5000 - 1024, 10],
    [5000 - 1023, 10],
    [5000 - 1022, 5],
  ]);
  // the last one goes on
  taken.length = 0;
  timeline.slice(49_985, 60_000, (code, _, ns) => taken.push([code, ns]));
  assert.deepEqual(taken, [
    [4998, 5],
    [4999, 10_010],
  ]);
});

test('a timeline grows, and finds any moment', () => {
  const timeline = new Timeline();
  for (let time = 0; time < 3000; time++) timeline.push(time * 10, time, 0);
  for (const time of [0, 1, 10, 12_345, 29_989]) {
    const taken: number[] = [];
    timeline.slice(time, time + 1, (code) => taken.push(code));
    assert.deepEqual(taken, [Math.floor(time / 10)]);
  }
});

test('a timeline gives out what it no longer keeps, in order; equal causes that touch are one', () => {
  const timeline = new Timeline(256);
  const given: number[][] = [];
  timeline.onFinal = (...cause) => given.push(cause);
  for (let time = 0; time < 512; time++) timeline.push(time * 10, Math.floor(time / 2), 3);
  // the last cause that is no longer kept may go on
  assert.deepEqual(given.at(-1), [126, 3, 2520, 2540]);
  timeline.finish(6000);
  assert.deepEqual(
    given,
    Array.from({ length: 256 }, (_, at) => [at, 3, at * 20, at === 255 ? 6000 : at * 20 + 20]),
  );
});

test('a cause of no length is replaced by the next one', () => {
  const timeline = new Timeline();
  timeline.push(10, 1, 0);
  timeline.push(20, 2, 0);
  timeline.push(20, 3, 0);
  const taken: number[] = [];
  timeline.slice(10, 30, (code) => taken.push(code));
  assert.deepEqual(taken, [1, 3]);
});

test('interrupts nest, an exit without an entry is none, and entries without exits end somewhere', () => {
  const nesting = new Nesting();
  nesting.enter(11, 1, false);
  nesting.enter(12, 2, true);
  assert.deepEqual([nesting.running, nesting.entity], [1, 12]);
  nesting.leave(9, true);
  nesting.leave(2, true);
  assert.deepEqual([nesting.running, nesting.entity], [2, 11]);
  nesting.leave(1, false);
  assert.equal(nesting.running, 0);
  for (let depth = 0; depth < 9; depth++) nesting.enter(depth, depth, true);
  assert.equal(nesting.entity, 8);
  nesting.leave(8, true);
  assert.equal(nesting.running, 0);
});

test('codes of causes keep kind, CPU and whether they are inferred', () => {
  assert.equal(causeCode(kind.unknown, -1, false), 0);
  const codes = new Set<number>();
  for (const cpu of [-1, 0, 1, 8191])
    for (const each of Object.values(kind))
      for (const is of [false, true]) codes.add(causeCode(each, cpu, is));
  assert.equal(codes.size, 4 * Object.keys(kind).length * 2);
});

test('more causes than are listed are summed up by kind', () => {
  const events: Happened[] = [
    [0, 'host 0', 100, ['other']],
    [0, 'web 0', 1000, ['waking', 7, 0]],
  ];
  for (let tid = 1000; tid < 1300; tid++)
    events.push([(tid - 999) * 10, 'web 0', tid, ['switch', tid, 'S', tid + 1]]);
  events.push([5000, 'web 0', 1300, ['switch', 1300, 'S', 7]]);
  const { waits } = played({ web: [100] }, events);
  const [wait] = waits.worst().filter(({ tid }) => tid === 7);
  assert.equal(wait!.lengthNs, 5000);
  assert.equal(wait!.causes.length, 257);
  assert.equal(
    wait!.causes.reduce((sum, { ns }) => sum + ns, 0),
    5000,
  );
  assert.deepEqual(
    [wait!.causes[0]!.tid, wait!.causes[256]!.name, wait!.causes[256]!.ns],
    [1300, 'others, beyond the limit', 450],
  );
});

test('a task that is moved too often is followed no longer', () => {
  const events: Happened[] = [
    [0, 'host 0', 100, ['other']],
    [0, 'host 1', 101, ['other']],
    [0, 'web 0', 8, ['other']],
    [0, 'web 1', 9, ['waking', 7, 0]],
  ];
  for (let move = 1; move <= 300; move++) events.push([move * 10, 'web 1', 9, ['migrate', 7, move % 2]]);
  events.push([4000, 'web 1', 9, ['switch', 9, 'S', 7]]);
  assert.deepEqual(waitsOf(played({ web: [100, 101] }, events), 7), [
    'wakeup task-7 4000: unknown 1440, guest-task web task-8 cpu0 1280, guest-task web task-9 cpu1 1280',
  ]);
});

test('each kind has the number of its place among the kinds', () => {
  for (const [number, name] of causeKinds.entries()) assert.equal(kind[name], number);
});
