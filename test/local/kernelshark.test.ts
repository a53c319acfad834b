import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { alignRecordings } from '../../src/clock/align-recordings.ts';
import { convertRecording } from '../../src/trace/convert/convert.ts';
import { alignmentFile, formatAlignment } from '../../src/trace/recording/clock-files.ts';
import { openSession } from '../../src/trace/session.ts';
import { simulate } from '../simulator/machine.ts';
import { busyMachine, hostLeadNs, recordings } from '../simulator/recordings.ts';
import { scratchDir } from '../unit/trace/samples.ts';
import {
  comboColumns,
  comboSession,
  graphLabels,
  kernelSharkSkip,
  readWithKernelShark,
  type SharkEvent,
} from './harness/kernelshark.ts';
import { type Picture, XDisplay } from './harness/x-display.ts';

const drawMs = 120_000;
const [width, height] = [1400, 900];

/** More than the alignment of this machine's clocks is wrong at the ends, less than events are apart that matter. */
const mostErrorNs = 500_000;

/** A host and a guest with two vCPUs, of which everything was recorded; KVM's events on the host too. */
const machine = simulate({ ...busyMachine, durationNs: 4e8, missing: 0, loss: 0 });

/** A pause that the guest's file notes. */
const pause = { from: 2e8, to: 2e8 + 2e4 };

/** The files of the host and the guest, as `trace-host record` writes them; any user can read them. */
async function pair(test: TestContext): Promise<{ dir: string; files: [host: string, guest: string] }> {
  const { host, guest } = await recordings(test, machine, { kvm: true, pauses: [pause] });
  const [alignment] = await alignRecordings(host, [guest]);
  assert.ok(alignment);
  writeFileSync(join(guest, alignmentFile), formatAlignment(alignment));
  const dir = scratchDir(test);
  chmodSync(dir, 0o755);
  const files: [string, string] = [join(dir, 's.dat'), join(dir, 's-web.dat')];
  await convertRecording(host, { out: files[0] });
  await convertRecording(guest, { out: files[1] });
  return { dir, files };
}

/** The events that trace-host reads from the files, by file. */
async function eventsOf(files: readonly string[]): Promise<SharkEvent[][]> {
  const session = await openSession(files);
  assert.deepEqual(
    session.machines.map(({ trace }) => trace.source.pauses?.length),
    [undefined, 1],
  );
  const all: SharkEvent[][] = [];
  for (const [stream, { trace }] of session.machines.entries()) {
    const own: SharkEvent[] = [];
    for await (const batch of trace.events())
      for (const { timestamp, cpu, pid, name } of batch)
        own.push({ stream, ns: timestamp, cpu, pid, name: name.replace(':', '/') });
    all.push(own);
  }
  await session.close();
  return all;
}

describe('KernelShark', { skip: kernelSharkSkip(), timeout: 300_000 }, () => {
  it('has the events and times of trace-host, and knows the threads of the vCPUs', async (test) => {
    const { dir, files } = await pair(test);
    const { combos, guests, events } = readWithKernelShark(dir, files);
    const ours = await eventsOf(files);
    assert.ok(ours.every((own) => own.length > 1000));
    for (const [stream, own] of ours.entries())
      assert.deepEqual(
        events.filter((event) => event.stream === stream),
        own,
      );
    assert.equal(events.length, ours.flat().length);
    assert.ok(events.every(({ ns }, index) => ns >= (events[index - 1]?.ns ?? 0n)));
    const { hostOrigin } = machine.clock;
    const truth = machine.events.map(({ host }) => host - hostOrigin + hostLeadNs);
    for (const [at, { ns }] of ours[1]!.entries())
      assert.ok(Math.abs(Number(ns - truth[at]!)) < mostErrorNs, `event ${at}: ${ns}, truly ${truth[at]}`);
    assert.deepEqual(guests, [{ stream: 1, host: 0, name: 'web', vcpuTids: [...machine.tids] }]);
    // only the host has events of KVM
    assert.deepEqual(combos, [0]);
  });

  it('shows both files, and in the threads of the vCPUs what the guest does', async (test) => {
    const { dir, files } = await pair(test);
    const display = await XDisplay.start(test, dir, width, height);
    const drawn = <T>(what: string, look: (picture: Picture) => T | false): Promise<T> =>
      display.shows(`KernelShark draws ${what}`, look, drawMs);

    const shark = display.run('kernelshark', ['-i', files[0], '-a', files[1]]);
    const colors = await drawn('both files', (picture) => {
      const found = [...new Set(graphLabels(picture).map(({ color }) => color))];
      return found.length === 2 && found;
    });
    shark.kill();

    const session = join(dir, 'session.json');
    const span = [Number(hostLeadNs) + 2e8, Number(hostLeadNs) + 2.1e8] as const;
    writeFileSync(session, JSON.stringify(comboSession(files, readWithKernelShark(dir, files), span)));
    display.run('kernelshark', ['-s', session]);
    const vcpus = await drawn('the vCPUs', (picture) => {
      const labels = graphLabels(picture);
      const [host, guest] = colors;
      assert.ok(labels.length === 0 || host !== undefined);
      const isComplete =
        labels.length === 4 && labels.every(({ color }, at) => color === (at % 2 === 0 ? guest : host));
      const all = isComplete ? [0, 2].map((at) => comboColumns(picture, labels[at]!, labels[at + 1]!)) : [];
      return all.length === 2 && all.every((columns) => columns.some(({ event }) => event)) && all;
    });
    for (const [vcpu, columns] of vcpus.entries()) {
      const events = columns.flatMap(({ event }, x) => (event ? [x] : []));
      const share = columns.filter(({ inGuest }) => inGuest).length / columns.length;
      assert.ok(events.length > 20, `vCPU ${vcpu} has ${events.length} events`);
      assert.ok(share > 0.2 && share < 0.8, `vCPU ${vcpu} is in the guest for ${share} of the time`);
      const outside = events.filter((x) => !columns.slice(Math.max(0, x - 2), x + 3).some((c) => c.inGuest));
      assert.deepEqual(outside, [], `vCPU ${vcpu} has events while it is not in the guest`);
    }
  });
});
