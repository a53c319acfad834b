import type { Stretch, VcpuStretch, Wait } from '../../analysis/explain/result.ts';
import type { DoubleBuffer } from '../output/double-buffer.ts';
import { causeSlice, taskName, thiefName, thiefSlice, waitSlice } from './cause-slices.ts';
import { TrackWriter } from './track-writer.ts';

const rootName = 'waits and their causes';
/** The order of a machine's tracks. The vCPUs come first, by their numbers. */
const waitsRank = 1 << 20;
const thievesRank = waitsRank + 1;
/** Slices of one task that overlap. More than one is rare: two waits of a task overlap only if the times are not exact. */
const mostLanes = 64;

/** A stretch of a wait, its thief, and the flow from there to the wait. */
interface Theft {
  readonly wait: Wait;
  readonly stretch: Stretch;
  readonly thief: string;
  readonly flow: number;
}

/**
 * Writes an explanation as tracks, in a group for each machine: for each vCPU why it did not run, for each task that
 * waited its waits with their causes in them, and for each thief when it made one of these tasks wait.
 */
export class ExplanationTracks {
  /** Waits that are not in the file with all of their causes, because there are too many. */
  cutWaits = 0;
  readonly #out: DoubleBuffer;
  readonly #tracks: TrackWriter;
  #root: number | undefined;
  readonly #machines = new Map<string, number>();
  readonly #vcpus = new Map<string, number>();

  /** @param sequence id of the packets; no others may have it */
  constructor(out: DoubleBuffer, sequence: number) {
    this.#out = out;
    this.#tracks = new TrackWriter(sequence);
  }

  /** A stretch of a vCPU, which follows the vCPU's last one. Call again when the promise is settled, if there is one. */
  vcpuStretch(stretch: VcpuStretch): Promise<void> | undefined {
    const { guest, vcpu, beginNs, endNs } = stretch;
    const { buffer } = this.#out;
    const key = `${vcpu} ${guest}`;
    let track = this.#vcpus.get(key);
    if (track === undefined) {
      track = this.#tracks.track(buffer, `vCPU ${vcpu} not running`, this.#machine(guest), vcpu);
      this.#vcpus.set(key, track);
    }
    this.#tracks.begin(buffer, track, beginNs, causeSlice(stretch));
    this.#tracks.end(buffer, track, endNs);
    return this.#flushed();
  }

  /** @param waits longest first, with their stretches */
  async waits(waits: readonly Wait[]): Promise<void> {
    const thefts = theftsOf(waits);
    // a flow has to be seen at its beginning first, also if it ends at the same time
    await this.#thieves(
      [...thefts.values()].toSorted((a, b) => compare(a.stretch.beginNs, b.stretch.beginNs)),
    );
    const lanes = new Map<string, Lanes>();
    const ranks = new Map(waits.map((wait, index) => [wait, index + 1]));
    for (const wait of waits.toSorted((a, b) => compare(a.dueNs, b.dueNs))) {
      const { buffer } = this.#out;
      const { dueNs, endNs, machine } = wait;
      const name = `${taskName(wait)} waits`;
      const track = this.#lanesOf(lanes, JSON.stringify([machine, name]), machine, name, waitsRank).take(
        dueNs,
        endNs,
      );
      const { stretches = [] } = wait;
      if (track === undefined || stretches.at(-1)?.endNs !== endNs) this.cutWaits++;
      if (track === undefined) continue;
      this.#tracks.begin(buffer, track, dueNs, waitSlice(wait, ranks.get(wait)!));
      for (const stretch of stretches) {
        const flowEnd = thefts.get(stretch)?.flow;
        this.#tracks.begin(this.#out.buffer, track, stretch.beginNs, { ...causeSlice(stretch), flowEnd });
        this.#tracks.end(this.#out.buffer, track, stretch.endNs);
        await this.#flushed();
      }
      this.#tracks.end(this.#out.buffer, track, endNs);
    }
  }

  async #thieves(thefts: readonly Theft[]): Promise<void> {
    const lanes = new Map<string, Lanes>();
    for (const { wait, stretch, thief, flow } of thefts) {
      const { machine, beginNs, endNs } = stretch;
      const key = JSON.stringify([machine, thief, wait.machine, wait.tid]);
      const track = this.#lanesOf(lanes, key, machine, `${thief} delays others`, thievesRank).take(
        beginNs,
        endNs,
      );
      if (track === undefined) continue;
      this.#tracks.begin(this.#out.buffer, track, beginNs, { ...thiefSlice(stretch, wait), flow });
      this.#tracks.end(this.#out.buffer, track, endNs);
      await this.#flushed();
    }
  }

  /** The group of a machine's tracks. */
  #machine(name: string): number {
    let group = this.#machines.get(name);
    if (group === undefined) {
      const { buffer } = this.#out;
      this.#root ??= this.#tracks.track(buffer, rootName);
      group = this.#tracks.track(buffer, name, this.#root, this.#machines.size);
      this.#machines.set(name, group);
    }
    return group;
  }

  #lanesOf(known: Map<string, Lanes>, key: string, machine: string, name: string, rank: number): Lanes {
    let lanes = known.get(key);
    if (lanes === undefined) {
      const group = this.#machine(machine);
      lanes = new Lanes(() => this.#tracks.track(this.#out.buffer, name, group, rank));
      known.set(key, lanes);
    }
    return lanes;
  }

  #flushed(): Promise<void> | undefined {
    return this.#out.isFull ? this.#out.flush() : undefined;
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** All stretches of waits whose thief is known. */
function theftsOf(waits: readonly Wait[]): Map<Stretch, Theft> {
  const thefts = new Map<Stretch, Theft>();
  for (const wait of waits)
    for (const stretch of wait.stretches ?? []) {
      const thief = thiefName(stretch);
      if (thief !== undefined) thefts.set(stretch, { wait, stretch, thief, flow: thefts.size + 1 });
    }
  return thefts;
}

/** Tracks of one name, as many as it takes for slices that overlap. */
class Lanes {
  readonly #lanes: { readonly track: number; end: bigint }[] = [];
  readonly #open: () => number;

  constructor(open: () => number) {
    this.#open = open;
  }

  /** The track for a slice, undefined if it takes too many. Slices must come in the order in which they begin. */
  take(begin: bigint, end: bigint): number | undefined {
    let lane = this.#lanes.find((each) => each.end <= begin);
    if (lane === undefined) {
      if (this.#lanes.length >= mostLanes) return undefined;
      lane = { track: this.#open(), end };
      this.#lanes.push(lane);
    }
    lane.end = end;
    return lane.track;
  }
}
