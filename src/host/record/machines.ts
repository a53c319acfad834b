import { randomBytes } from 'node:crypto';
import type { RecordedGuest } from '../../trace/recording/recording-format.ts';
import { GuestDir } from '../guest-dir/guest-dir.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { cutOff } from '../qemu/guest-trouble.ts';
import { VcpuWatch } from '../vcpus/vcpu-watch.ts';
import type { GuestRecording } from './guest-recording.ts';

/** Opens a guest's directory. The caller closes it. @throws Failure */
export function openGuest(location: GuestLocation): GuestDir {
  const guest = GuestDir.open(location);
  const lost = cutOff(guest);
  if (lost === undefined) return guest;
  guest.close();
  throw lost;
}

export function newTraceId(): bigint {
  return randomBytes(8).readBigUInt64LE();
}

/** What a host's recording says about the guests that are recorded with it. */
export class GuestsOfHost {
  readonly #guests: readonly { readonly recording: GuestRecording; readonly watch: VcpuWatch }[];

  constructor(recordings: readonly GuestRecording[]) {
    this.#guests = recordings.map((recording) => ({ recording, watch: new VcpuWatch(recording.guest.path) }));
  }

  /** Finds the threads of virtual CPUs. Does not throw. @returns whether anything has changed since the last time */
  async look(): Promise<boolean> {
    const changed = await Promise.all(this.#guests.map(({ watch }) => watch.look()));
    return changed.includes(true);
  }

  /**
   * Looks for threads that are still unknown in the host's recording, after its end.
   * @returns whether it has found any
   */
  async readEntries(path: string): Promise<boolean> {
    const found = await Promise.all(this.#guests.map(({ watch }) => watch.readEntries(path)));
    return found.includes(true);
  }

  /** The names of guests whose virtual CPUs are unknown. */
  get unknown(): readonly string[] {
    const unknown = this.#guests.filter(({ watch }) => watch.vcpus.length === 0);
    return unknown.map(({ recording }) => recording.guest.label);
  }

  list(): readonly RecordedGuest[] {
    return this.#guests.map(({ recording, watch }) => ({
      name: recording.guest.guest ?? '',
      traceId: String(recording.traceId),
      pid: watch.pid ?? null,
      vcpus: watch.vcpus,
    }));
  }
}
