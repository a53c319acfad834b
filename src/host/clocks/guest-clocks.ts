import { alignRecordings } from '../../clock/align-recordings.ts';
import type { RecordedAlignment } from '../../trace/recording/clock-files.ts';
import { type ClockOwner, ClockPings } from './clock-pings.ts';

/** A recording whose clock is aligned. */
export interface AlignedRecording extends ClockOwner {
  readonly label: string;
  /** The recording directory; undefined if there is none. */
  readonly dir: string | undefined;
  /** Throws Failure. */
  readonly writeAlignment: (alignment: RecordedAlignment) => void;
}

/** The clocks of the guests that are recorded together with this host. */
export class GuestClocks {
  readonly #host: AlignedRecording;
  readonly #pings: ReadonlyMap<AlignedRecording, ClockPings>;

  constructor(host: AlignedRecording, guests: readonly AlignedRecording[]) {
    this.#host = host;
    this.#pings = new Map(guests.map((guest) => [guest, new ClockPings(guest, host)]));
  }

  /** The pings of a guest; undefined for the host. */
  pingsOf(recording: AlignedRecording): ClockPings | undefined {
    return this.#pings.get(recording);
  }

  /**
   * Aligns the clocks of the guests with the host's, from what was recorded, and writes the result into the guests'
   * recordings. Reads all events. Throws Failure.
   * @param note called for each guest that cannot be aligned, with the reason
   */
  async align(note: (text: string) => void): Promise<ReadonlyMap<AlignedRecording, RecordedAlignment>> {
    const found = new Map<AlignedRecording, RecordedAlignment>();
    const hostDir = this.#host.dir;
    if (hostDir === undefined) return found;
    const guests: AlignedRecording[] = [];
    const dirs: string[] = [];
    for (const [guest, { otherClocks }] of this.#pings) {
      if (otherClocks !== undefined) note(cannotAlign(guest.label, otherClocks));
      if (guest.dir === undefined) continue;
      guests.push(guest);
      dirs.push(guest.dir);
    }
    const alignments = await alignRecordings(hostDir, dirs);
    for (const [index, alignment] of alignments.entries()) {
      if (alignment === undefined) continue;
      const guest = guests[index]!;
      guest.writeAlignment(alignment);
      found.set(guest, alignment);
    }
    return found;
  }
}

const remedy = 'record both with the clock boot, mono or mono_raw: -C boot';

function cannotAlign(
  label: string,
  { host, guest }: { readonly host: string; readonly guest: string },
): string {
  const what = `the times of ${label} (clock ${guest}) cannot be compared with this host's (clock ${host})`;
  return `${what} — ${remedy}`;
}

/** The note about a guest whose cycles cannot be converted. */
export function cannotConvert(label: string, why: string): string {
  const what = `the times of ${label} (clock x86-tsc) cannot be compared with this host's: ${why}`;
  return `${what} — ${remedy}`;
}
