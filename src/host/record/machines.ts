import { randomBytes } from 'node:crypto';
import type { RecordedGuest } from '../../trace/recording/recording-format.ts';
import { GuestDir } from '../guest-dir/guest-dir.ts';
import type { GuestLocation } from '../guest-dir/location.ts';
import { LibvirtMonitor, libvirtDomainOf } from '../clocks/libvirt-monitor.ts';
import { type Pause, PauseWatch } from '../clocks/pause-watch.ts';
import { type KvmTsc, readKvmTsc, sameTsc } from '../clocks/kvm-tsc.ts';
import { cutOff } from '../qemu/guest-trouble.ts';
import type { Holder } from '../qemu/holders.ts';
import { qmpSockets } from '../qemu/run-state.ts';
import { QmpMonitor } from '../qmp/monitor.ts';
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

interface GuestOfHost {
  readonly recording: GuestRecording;
  readonly watch: VcpuWatch;
  /** Undefined until its QEMU is found, and if nobody tells about it. */
  pauses: PauseWatch | undefined;
  /** How KVM computes its TSC; undefined if nobody has asked. */
  tsc: KvmTsc | undefined;
}

/** Follows the pauses of a QEMU by its QMP socket, or by libvirt; undefined if it has neither. */
function pauseWatchOf(
  { argv }: Pick<Holder, 'argv'>,
  changed: (pauses: readonly Pause[]) => void,
): PauseWatch | undefined {
  const sockets = qmpSockets(argv);
  if (sockets.length > 0) return new PauseWatch((event) => new QmpMonitor(sockets, event), changed);
  const domain = libvirtDomainOf(argv);
  return domain === undefined
    ? undefined
    : new PauseWatch((event) => new LibvirtMonitor(domain, event), changed);
}

/** What is known of the guests that are recorded together with this host: their virtual CPUs, and when they are paused. */
export class GuestsOfHost {
  readonly #guests: readonly GuestOfHost[];
  #closed = false;

  /** @param paused called when a pause of a guest has begun or ended, with all its pauses */
  constructor(
    recordings: readonly GuestRecording[],
    paused: (recording: GuestRecording, pauses: readonly Pause[]) => void,
  ) {
    this.#guests = recordings.map((recording) => {
      const guest: GuestOfHost = {
        recording,
        watch: new VcpuWatch(recording.guest.path, async (qemu) => {
          if (this.#closed) return undefined;
          guest.pauses ??= pauseWatchOf(qemu, (pauses) => paused(recording, pauses));
          await guest.pauses?.look();
          const monitor = guest.pauses?.monitor;
          return monitor instanceof QmpMonitor ? monitor : undefined;
        }),
        pauses: undefined,
        tsc: undefined,
      };
      return guest;
    });
  }

  /** Undefined for the host, and for a guest of which nobody tells. */
  pausesOf(recording: GuestRecording): PauseWatch | undefined {
    return this.#guests.find((guest) => guest.recording === recording)?.pauses;
  }

  /**
   * Reads how KVM computes the TSC of a guest. Call it at the beginning and at the end of its trace.
   * @returns `unknown` if that has changed in between; undefined for the host
   */
  readTsc(recording: GuestRecording): KvmTsc | undefined {
    const guest = this.#guests.find((each) => each.recording === recording);
    if (guest === undefined) return undefined;
    const { pid } = guest.watch;
    const before = guest.tsc;
    const tsc: KvmTsc =
      pid === undefined ? { kind: 'unknown', why: 'its QEMU was not found' } : readKvmTsc(pid);
    if (before?.kind === 'known' && tsc.kind === 'known' && !sameTsc(before.tsc, tsc.tsc))
      guest.tsc = { kind: 'unknown', why: 'its TSC was set while it was traced' };
    else if (before?.kind !== 'unknown') guest.tsc = tsc;
    return guest.tsc;
  }

  /** Closes the connections to QEMU. */
  close(): void {
    this.#closed = true;
    for (const { pauses } of this.#guests) pauses?.close();
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
