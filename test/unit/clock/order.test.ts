import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { Alignment } from '../../../src/clock/align.ts';
import { alignRecordings } from '../../../src/clock/align-recordings.ts';
import { DeadlinePairs, Deadlines } from '../../../src/clock/order/deadlines.ts';
import { packContents } from '../../../src/host/metadata/pack.ts';
import { formatPing, pingsFile } from '../../../src/trace/recording/clock-files.ts';
import type { Recording } from '../../../src/trace/recording/recording-format.ts';
import { thorough } from '../../set.ts';
import { deadlinePairs, kvmAligned, kvmMachine } from '../../simulator/kvm.ts';
import { errorsOf } from '../../simulator/observed.ts';
import { busyMachine } from '../../simulator/recordings.ts';
import { exits } from '../../simulator/session/exit-reasons.ts';
import {
  kvmEntryData,
  kvmExitData,
  type MadeEvent,
  neededContents,
  wakeData,
  writeRecording,
} from '../analysis/made-trace.ts';
import { fixtureFormats } from '../trace/fixtures.ts';
import { scratchDir } from '../trace/samples.ts';

const kvmOptions = { ...busyMachine, durationNs: 1e9, pingNs: 5e4, hidden: 0.001 };

describe('timers that a guest sets', () => {
  it('are pairs of events in the order that they truly had', () => {
    const property = fc.property(fc.integer(), (seed) => {
      const machine = kvmMachine({ ...kvmOptions, seed, vcpus: 1 });
      const truth = new Map(machine.events.map(({ guest, host }) => [guest, host]));
      const pairs = deadlinePairs(machine);
      assert.ok(pairs.length > 100, `${pairs.length}`);
      for (const { guest, host, first } of pairs) {
        const at = truth.get(guest)!;
        assert.ok(first === 'guest' ? at <= host : at >= host, `${first} first: ${at - host}`);
      }
    });
    fc.assert(property, { numRuns: thorough(20) });
  });

  it('make the bound smaller, and it still holds; so do the exits', () => {
    const property = fc.property(fc.integer(), fc.integer({ min: -200, max: 200 }), (seed, ratePpm) => {
      const machine = kvmMachine({ ...kvmOptions, seed, ratePpm });
      const pings = errorsOf(Alignment.of({ pings: machine.pings })!.map, machine);
      const { pinged, refined } = kvmAligned(machine);
      const [paired, all] = [errorsOf(pinged, machine), errorsOf(refined, machine)];
      assert.deepEqual([pings.lies, paired.lies, all.lies], [0, 0, 0]);
      assert.ok(paired.meanBoundNs < pings.meanBoundNs, `${paired.meanBoundNs} of ${pings.meanBoundNs}`);
      assert.ok(all.meanBoundNs < paired.meanBoundNs / 2, `${all.meanBoundNs} of ${paired.meanBoundNs}`);
    });
    fc.assert(property, { numRuns: thorough(20) });
  });

  it('say nothing if the same deadline was set twice, or none', () => {
    const deadlines = new Deadlines();
    for (const [value, time] of [[800n, 10], [880n, 20], [800n, 30], [0n, 40], [960n, 50]] as const) deadlines.add(value, time); // biome-ignore format: one line
    const found = new DeadlinePairs([deadlines]);
    found.event(0, 1);
    for (const [time, value] of [[11, 800n], [21, 880n], [41, 0n], [51, 960n], [52, 960n], [60, 8n]] as const) found.wrote(0, time, value); // biome-ignore format: one line
    found.wrote(1, 70, 880n);
    assert.deepEqual(found.pairs({ hostOrigin: 100n, guestOrigin: 1000n }), [
      { guest: 1001n, host: 120n, first: 'guest' },
      { guest: 1021n, host: 120n, first: 'host' },
    ]);
  });

  it('are limited in number', () => {
    const deadlines = new Deadlines(100);
    for (let value = 1n; value <= 10_000n; value++) deadlines.add(value * 64n, Number(value));
    assert.ok(deadlines.size > 20 && deadlines.size <= 101, `${deadlines.size}`);
    const known = Array.from({ length: 10_000 }, (_, index) => deadlines.timeOf(BigInt(index + 1) * 64n));
    for (const [index, time] of known.entries()) assert.ok(time === undefined || time === index + 1);
    assert.equal(known.filter((time) => time !== undefined).length, deadlines.size);
  });
});

const ids = { kvm_msr: 30003, write_msr: 30004 };

function msrData(
  name: keyof typeof ids,
  bytes: number,
  pid: number,
  fill: (view: DataView) => void,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  view.setUint16(0, ids[name], true);
  view.setInt32(4, pid, true);
  fill(view);
  return new Uint8Array(view.buffer);
}

/** A recording whose kernel has the events of KVM and of MSRs. */
async function recording(
  test: TestContext,
  events: readonly MadeEvent[],
  more: Partial<Recording>,
): Promise<string> {
  const formats = [
    ...fixtureFormats('kvm', ['kvm_entry', 'kvm_exit', 'kvm_msr']),
    ...fixtureFormats('msr', ['write_msr']),
  ].map(([path, text]) => [path, Buffer.from(text)] as const);
  const dir = join(scratchDir(test), 'made.recording');
  const metadata = await packContents(new Map([...(await neededContents()), ...formats]));
  writeRecording(dir, events, { clock: 'boot', ...more }, metadata);
  return dir;
}

describe('the recordings of a host with KVM and its guest', () => {
  it('are aligned by the timers that the guest sets, and by its exits', async (test) => {
    const machine = kvmMachine({ ...kvmOptions, seed: 3, durationNs: 3e8, pingEveryNs: 5e7, loss: 0 });
    const { clock, kvm, events, tids, pings } = machine;
    const host = kvm.map(({ kind, cpu, tid, time, deadline, lost }): MadeEvent => {
      const msr = () =>
        msrData('kvm_msr', 32, tid, (view) => {
          view.setUint32(8, 1, true);
          view.setUint32(12, 0x6e0, true);
          view.setBigUint64(16, deadline, true);
        });
      const vcpu = tids.indexOf(tid);
      const data = {
        msr,
        entry: () => kvmEntryData(tid, vcpu),
        exit: () => kvmExitData(tid, vcpu, exits.MSR_WRITE.number),
      }[kind]();
      return { cpu, ns: time, pid: tid, data, ...(lost && { lost: 3 }) };
    });
    const guest = events.map(({ kind, vcpu, guest, deadline }): MadeEvent => {
      const write = () =>
        msrData('write_msr', 28, 1, (view) => {
          view.setUint32(8, 0x6e0, true);
          view.setBigUint64(16, deadline, true);
        });
      return {
        cpu: vcpu,
        ns: Number(guest - clock.guestOrigin),
        pid: 1,
        data: kind === 'write' ? write() : wakeData('waking', 1, 2),
      };
    });
    const vcpus = tids.map((tid, vcpu) => ({ vcpu, tid, from: '0', until: null }));
    const guests = [{ name: 'web', traceId: '2', pid: 1, vcpus }];
    const hostDir = await recording(test, host, { traceId: '1', guests });
    const guestDir = await recording(test, guest, { traceId: '2' });
    for (const ping of pings) {
      const [hostBefore, guest, hostAfter] = [
        ping.hostBefore - clock.hostOrigin,
        ping.guest - clock.guestOrigin,
        ping.hostAfter - clock.hostOrigin,
      ];
      if (hostBefore >= 0n && guest >= 0n)
        appendFileSync(join(guestDir, pingsFile), formatPing({ hostBefore, guest, hostAfter }));
    }
    const [alignment] = await alignRecordings(hostDir, [guestDir]);
    const [piece] = alignment?.pieces ?? [];
    assert.deepEqual([...(piece?.methods ?? [])].toSorted(), ['exclusion', 'order', 'ping']);
    assert.ok(piece!.medianBoundNs < 5000, `${piece!.medianBoundNs}`);
  });
});
