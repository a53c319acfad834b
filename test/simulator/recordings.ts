import { appendFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { convertRecording } from '../../src/trace/convert/convert.ts';
import type { TimeShift } from '../../src/trace/dat/time-shift.ts';
import { formatPing, pingsFile } from '../../src/trace/recording/clock-files.ts';
import { formatRecording, readRecording } from '../../src/trace/recording/recording-format.ts';
import { type MadeEvent, madeRecording, switchData, wakeData } from '../unit/analysis/made-trace.ts';
import { fixtureFormats } from '../unit/trace/fixtures.ts';
import type { Cleanups } from '../unit/trace/samples.ts';
import { withKvmEvents } from './kvm-events.ts';
import type { MachineOptions, Simulated } from './machine.ts';

/** A machine whose vCPUs are often off, and whose host misses some switches. */
export const busyMachine: MachineOptions = {
  seed: 5,
  durationNs: 2e9,
  hostCpus: 2,
  vcpus: 2,
  ratePpm: -80,
  wanderPpm: 0,
  faults: [],
  onNs: 4e5,
  offNs: 4e5,
  betweenEventsNs: 1e5,
  entryNs: 2e4,
  missing: 0.1,
  hidden: 0,
  loss: 0.002,
  pingEveryNs: 5e8,
  pingRounds: 5,
  pingNs: 5e5,
};

/**
 * What the host's clock shows in the recordings when the machine starts; the guest's shows 0. Far more than any bound, so
 * that times which were not converted are surely wrong.
 */
export const hostLeadNs = 3_600_000_000_000n;

/** The events of host and guest as their traces have them. Times count from `hostLeadNs`, and from 0 in the guest. */
export function recordedEvents({ switches, events, clock }: Simulated): {
  readonly host: readonly MadeEvent[];
  readonly guest: readonly MadeEvent[];
} {
  // times of pages are below 2^53 in made traces
  const host = switches.map(({ cpu, time, prev, next, lost }): MadeEvent => {
    const data = switchData(prev, 0n, next);
    return { cpu, ns: Number(hostLeadNs) + Math.floor(time), pid: prev, data, ...(lost && { lost: 3 }) };
  });
  const guest = events.map(({ vcpu, guest }): MadeEvent => {
    return { cpu: vcpu, ns: Number(guest - clock.guestOrigin), pid: 1, data: wakeData('waking', 1, 2) };
  });
  return { host, guest };
}

export interface MadeRecordings {
  /** Whether the host recorded KVM's events; false by default. */
  readonly kvm?: boolean;
  /** Pauses of the guest that the recording notes, in ns since the machine's start. */
  readonly pauses?: readonly { readonly from: number; readonly to: number }[];
}

/** Recordings of the machine's host and guest. @returns their directories */
export async function recordings(
  test: Cleanups,
  machine: Simulated,
  { kvm = false, pauses }: MadeRecordings = {},
): Promise<{ readonly host: string; readonly guest: string }> {
  const { pings, tids, clock } = machine;
  const events = recordedEvents(machine);
  const ofHost = kvm ? withKvmEvents(events.host, machine, Number(hostLeadNs)) : events.host;
  const formats = kvm ? Object.fromEntries(fixtureFormats('kvm', ['kvm_entry', 'kvm_exit'])) : {};
  const host = await madeRecording(test, ofHost, 'boot', formats);
  const guest = await madeRecording(test, events.guest, 'boot');
  const vcpus = tids.map((tid, vcpu) => ({ vcpu, tid, from: '0', until: null }));
  const guests = [{ name: 'web', traceId: '2', pid: 1, vcpus }];
  await describe(host, { traceId: '1', guests });
  const noted = pauses?.map(({ from, to }) => {
    const [hostFrom, hostTo] = [from, to].map((ns) => String(hostLeadNs + BigInt(ns)));
    return { hostFrom, pausedFrom: null, pausedTo: null, hostTo };
  });
  await describe(guest, { traceId: '2', ...(noted && { pauses: noted }) });
  for (const { hostBefore, guest: time, hostAfter } of pings) {
    const ping = {
      hostBefore: hostBefore - clock.hostOrigin + hostLeadNs,
      guest: time - clock.guestOrigin,
      hostAfter: hostAfter - clock.hostOrigin + hostLeadNs,
    };
    // the guest's made times begin at 0
    if (ping.guest >= 0n) appendFileSync(join(guest, pingsFile), formatPing(ping));
  }
  return { host, guest };
}

async function describe(dir: string, more: object): Promise<void> {
  const about = { ...(await readRecording(dir)), ...more };
  writeFileSync(join(dir, 'recording.json'), formatRecording(about));
}

/** How the TIME_SHIFT of a made guest is wrong, and how its file is stored. */
export interface GuestFile {
  /** The TIME_SHIFT; none by default. */
  readonly shift?: TimeShift;
  readonly version?: 6 | 7;
  readonly compress?: 'none' | 'zstd';
}

/** The trace.dat files of recordings. @returns the paths, by the names that a session looks for */
export async function traceFiles(
  { host, guest }: { readonly host: string; readonly guest: string },
  { shift, version = 7, compress = 'none' }: GuestFile = {},
): Promise<{ readonly host: string; readonly guest: string }> {
  const dir = dirname(host);
  const files = { host: join(dir, 's.dat'), guest: join(dir, 's-web.dat') };
  await convertRecording(host, { out: files.host });
  await convertRecording(guest, { out: files.guest, version, compress, ...(shift && { timeShift: shift }) });
  return files;
}

/** A TIME_SHIFT by the true relation of a made machine's clocks, but wrong by so many ns. */
export function shiftBy(wrongNs: number, { clock }: Simulated, durationNs: number): TimeShift {
  const cpu = [0, durationNs].map((host) => {
    const time = clock.at(host) - clock.guestOrigin;
    return { time, offset: hostLeadNs + BigInt(host + wrongNs) - time, scale: 1n, fractionBits: 0n };
  });
  return { peerId: 1n, interpolates: true, cpus: [cpu, cpu] };
}
