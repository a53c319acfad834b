import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatPing, pingsFile } from '../../src/trace/recording/clock-files.ts';
import { formatRecording, readRecording } from '../../src/trace/recording/recording-format.ts';
import { type MadeEvent, madeRecording, switchData, wakeData } from '../unit/analysis/made-trace.ts';
import type { Cleanups } from '../unit/trace/samples.ts';
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

/** The events of host and guest as their traces have them. Times count from the origins of the clocks. */
export function recordedEvents({ switches, events, clock }: Simulated): {
  readonly host: readonly MadeEvent[];
  readonly guest: readonly MadeEvent[];
} {
  // times of pages are below 2^53 in made traces
  const host = switches.map(({ cpu, time, prev, next, lost }): MadeEvent => {
    const data = switchData(prev, 0n, next);
    return { cpu, ns: Math.floor(time), pid: prev, data, ...(lost && { lost: 3 }) };
  });
  const guest = events.map(({ vcpu, guest }): MadeEvent => {
    return { cpu: vcpu, ns: Number(guest - clock.guestOrigin), pid: 1, data: wakeData('waking', 1, 2) };
  });
  return { host, guest };
}

/** Recordings of the machine's host and guest. @returns their directories */
export async function recordings(
  test: Cleanups,
  machine: Simulated,
): Promise<{ readonly host: string; readonly guest: string }> {
  const { pings, tids, clock } = machine;
  const events = recordedEvents(machine);
  const host = await madeRecording(test, events.host, 'boot');
  const guest = await madeRecording(test, events.guest, 'boot');
  const vcpus = tids.map((tid, vcpu) => ({ vcpu, tid, from: '0', until: null }));
  const guests = [{ name: 'web', traceId: '2', pid: 1, vcpus }];
  await describe(host, { traceId: '1', guests });
  await describe(guest, { traceId: '2' });
  for (const { hostBefore, guest: time, hostAfter } of pings) {
    const ping = {
      hostBefore: hostBefore - clock.hostOrigin,
      guest: time - clock.guestOrigin,
      hostAfter: hostAfter - clock.hostOrigin,
    };
    // made times begin at 0
    if (ping.hostBefore >= 0n && ping.guest >= 0n) appendFileSync(join(guest, pingsFile), formatPing(ping));
  }
  return { host, guest };
}

async function describe(dir: string, more: object): Promise<void> {
  const about = { ...(await readRecording(dir)), ...more };
  writeFileSync(join(dir, 'recording.json'), formatRecording(about));
}
