import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packContents } from '../../../../src/host/metadata/pack.ts';
import {
  alignmentFile,
  type ClockSample,
  formatAlignment,
  formatPing,
  pingsFile,
} from '../../../../src/trace/recording/clock-files.ts';
import type { RecordedGuest, Recording } from '../../../../src/trace/recording/recording-format.ts';
import { guestPath } from '../../../../src/trace/session.ts';
import { neededContents, writePages } from '../../../unit/analysis/made-trace.ts';
import { fixtureFormats } from '../../../unit/trace/fixtures.ts';
import { sampleContents } from '../../../unit/trace/samples.ts';
import { pingsOf } from '../../machine.ts';
import { Random } from '../../random.ts';
import { boundOf, type SimulatedGuest, type SimulatedMachine, type SimulatedSession } from '../simulate.ts';

const hostId = '1';

/**
 * Writes the recordings of a host and its guests, as `trace-host record` leaves them, for `openSession`.
 * @param dir an existing directory
 * @returns the host's recording; the guests' are beside it
 */
export async function writeSession(
  dir: string,
  { host, guests, options, truth }: SimulatedSession,
): Promise<string> {
  const hostPath = join(dir, 's.recording');
  const recorded = guests.map((guest, index): RecordedGuest => {
    const vcpus = guest.tids.map((tid, vcpu) => ({ vcpu, tid, from: '0', until: null }));
    return { name: guest.name, traceId: guestId(index), pid: guest.pid, vcpus };
  });
  await write(hostPath, host, { traceId: hostId, ...(recorded.length > 0 && { guests: recorded }) });
  for (const [index, guest] of guests.entries()) {
    const path = guestPath(hostPath, guest.name);
    const pauses = truth.pauses
      .filter(({ machine }) => machine === guest.name)
      .map(({ from, to }) => {
        const [begin, end] = [String(from), String(to)];
        return { hostFrom: begin, pausedFrom: begin, pausedTo: end, hostTo: end };
      });
    await write(path, guest, { traceId: guestId(index), pauses });
    const random = new Random(options.seed + index);
    writeFileSync(join(path, alignmentFile), alignmentOf(guest, options.durationNs, random));
    const pings = pingsOf(
      { durationNs: options.durationNs, pingEveryNs: 2e7, pingRounds: 5, pingNs: 5e4 },
      guest.clock,
      random,
    );
    writeFileSync(join(path, pingsFile), pings.map(formatPing).join(''));
  }
  return hostPath;
}

function guestId(index: number): string {
  return String(2 + index);
}

async function write(path: string, machine: SimulatedMachine, more: Partial<Recording>): Promise<void> {
  const about = { guest: machine.name, clock: 'boot', ...more };
  writePages(path, machine.pages.entries(), about, await metadataOf(machine));
}

let contents: Promise<Map<string, Buffer>> | undefined;
const packed = new Map<string, Promise<Buffer>>();

/** Packs the metadata; machines with the same tasks have the same. */
function metadataOf({ tasks }: SimulatedMachine): Promise<Buffer> {
  const names = [...tasks].map(([tid, comm]) => `${tid} ${comm}\n`).join('');
  const known = packed.get(names);
  if (known !== undefined) return known;
  contents ??= allContents();
  const made = contents.then((all) =>
    packContents(new Map([...all, ['saved_cmdlines', Buffer.from(names)]])),
  );
  packed.set(names, made);
  return made;
}

/** Formats of all events that are simulated. */
async function allContents(): Promise<Map<string, Buffer>> {
  const own = [...(await neededContents())].filter(([path]) => !/^(?:per_cpu\/|saved_|ps$)/.test(path));
  const timers = [...(await sampleContents('A'))].filter(([path]) => path.startsWith('events/timer/hrtimer'));
  const more = [
    ...fixtureFormats('kvm', ['kvm_entry', 'kvm_exit']),
    ...fixtureFormats('irq_vectors', ['local_timer_entry', 'local_timer_exit']),
  ].map(([path, text]) => [path, Buffer.from(text)] as const);
  return new Map([...own, ...timers, ...more]);
}

/** The true relation of the clocks, or one that is wrong by as much as its bound says. */
function alignmentOf({ clock, options }: SimulatedGuest, durationNs: number, random: Random): string {
  const { clockErrorNs, ratePpm } = options;
  const error = BigInt(Math.round(random.between(-clockErrorNs, clockErrorNs)));
  const samples: ClockSample[] = [];
  for (const at of [...clock.changes, durationNs].map(Math.floor)) {
    const guest = clock.at(at);
    const last = samples.at(-1)?.guest;
    // the clock stands still in a pause: what comes after it is later
    samples.push({
      guest: last !== undefined && guest <= last ? last + 1n : guest,
      host: clock.host(at) + error,
    });
  }
  const boundNs = boundOf(options);
  const piece = {
    guestFrom: samples[0]!.guest,
    guestTo: samples.at(-1)!.guest,
    offsetNs: samples[0]!.host - samples[0]!.guest,
    ratePpm: -ratePpm,
    boundNs,
    medianBoundNs: boundNs,
    methods: ['ping'],
    samples: samples.length,
    violations: 0,
  };
  return formatAlignment({ peerId: BigInt(hostId), pieces: [piece], samples });
}
