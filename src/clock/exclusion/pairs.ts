import { type ClockMap } from '../map/clock-map.ts';
import { MapCursor } from '../map/map-cursor.ts';
import type { OffStretches } from './off-stretches.ts';

/**
 * Largest bound of an event's host time; events with a larger bound are not used. An emulated guest under load may take
 * 20 ms to answer a ping.
 */
const worstBoundNs = 50e6;
/** Stretches shorter than this part of the uncertainty are left out: they say little and cost most. */
const shortest = 1 / 64;
/** If two events are closer than this part of a stretch, the events between them add nothing. */
const overlap = 0.98;

/** Maximum number of stretches to look at for one event. */
const mostAtOnce = 256;

/** Origins of times. */
export interface ExclusionSettings {
  readonly guestOrigin: bigint;
  readonly hostOrigin: bigint;
}

/**
 * Events of a guest's CPU cannot have happened while its vCPU was off. Keeps the events that may be near an
 * off-stretch, according to a map of the clocks, and of these the ones that say most.
 */
export class Exclusion {
  /** By which the events are chosen. */
  readonly map: ClockMap;
  readonly vcpus: readonly OffStretches[];
  readonly guestOrigin: bigint;
  readonly hostOrigin: bigint;
  /** Number of each vCPU's first stretch; the others are numbered from there on. */
  readonly numberOf: readonly number[];
  /** Number of pairs, each of a stretch's number and an event's time. */
  pairs = 0;
  stretch: Int32Array = new Int32Array(4096);
  time: Float64Array = new Float64Array(4096);
  readonly #cursor: MapCursor;
  readonly #most: number;
  readonly #at: Int32Array;
  /** Index of each stretch's last pair, and the time of the pair before that. */
  readonly #last: Int32Array;
  readonly #before: Float64Array;
  /** Stretches whose number is not a multiple of this are left out. */
  #every = 1;

  /**
   * @param vcpus the off-stretches of each vCPU, relative to `hostOrigin`; they must no longer change
   * @param mostPairs limit for pairs; each takes 12 bytes
   */
  constructor(
    map: ClockMap,
    vcpus: readonly OffStretches[],
    { guestOrigin, hostOrigin }: ExclusionSettings,
    mostPairs = 1 << 21,
  ) {
    this.map = map;
    this.vcpus = vcpus;
    this.guestOrigin = guestOrigin;
    this.hostOrigin = hostOrigin;
    this.#most = mostPairs;
    this.#cursor = new MapCursor(map, guestOrigin, hostOrigin);
    const numbers: number[] = [];
    let count = 0;
    for (const { length } of vcpus) {
      numbers.push(count);
      count += length;
    }
    this.numberOf = numbers;
    this.#at = new Int32Array(vcpus.length);
    this.#last = new Int32Array(count).fill(-1);
    this.#before = new Float64Array(count).fill(-Infinity);
  }

  /** One out of this many stretches is used. */
  get every(): number {
    return this.#every;
  }

  /** Number of stretches of all vCPUs. */
  get stretches(): number {
    return this.#last.length;
  }

  /** Adds an event of a guest's CPU, in ns after `guestOrigin`. Fastest if the events of each CPU come in order. */
  add(vcpu: number, time: number): void {
    const off = this.vcpus[vcpu];
    if (off === undefined || off.length === 0) return;
    const cursor = this.#cursor;
    cursor.seek(time);
    const { host, bound } = cursor;
    if (bound > worstBoundNs) return;
    const { from, to, length } = off;
    let at = firstEndingAfter(off, host - bound, this.#at[vcpu]!);
    this.#at[vcpu] = at;
    const end = Math.min(length, at + mostAtOnce);
    for (; at < end && from[at]! < host + bound; at++) {
      const size = to[at]! - from[at]!;
      const number = this.numberOf[vcpu]! + at;
      if (size >= bound * shortest && number % this.#every === 0) this.#pair(number, time, size * overlap);
    }
  }

  #pair(number: number, time: number, near: number): void {
    const last = this.#last[number]!;
    if (last >= 0) {
      if (time - this.#before[number]! < near && time >= this.time[last]!) {
        this.time[last] = time;
        return;
      }
      this.#before[number] = this.time[last]!;
    }
    if (this.pairs === this.#most) this.#halve();
    if (number % this.#every !== 0 || this.pairs === this.#most) return;
    if (this.pairs === this.time.length) this.#grow();
    this.#last[number] = this.pairs;
    this.stretch[this.pairs] = number;
    this.time[this.pairs] = time;
    this.pairs++;
  }

  #halve(): void {
    while (this.pairs > this.#most / 2) {
      this.#every *= 2;
      let kept = 0;
      for (let i = 0; i < this.pairs; i++) {
        const number = this.stretch[i]!;
        if (number % this.#every !== 0) continue;
        this.stretch[kept] = number;
        this.time[kept] = this.time[i]!;
        this.#last[number] = kept++;
      }
      this.pairs = kept;
      // all pairs belong to one stretch, so no more can be left out
      if (this.#every > this.stretches) return;
    }
  }

  #grow(): void {
    const room = Math.min(this.#most, this.time.length * 2);
    const [stretch, time] = [new Int32Array(room), new Float64Array(room)];
    stretch.set(this.stretch);
    time.set(this.time);
    [this.stretch, this.time] = [stretch, time];
  }
}

/** Index of the first stretch that ends after a time; usually near `guess`. */
function firstEndingAfter({ to, length }: OffStretches, time: number, guess: number): number {
  let at = guess;
  for (let step = 0; step < 8; step++) {
    if (at < length && to[at]! <= time) at++;
    else if (at > 0 && to[at - 1]! > time) at--;
    else return at;
  }
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (to[middle]! > time) high = middle;
    else low = middle + 1;
  }
  return low;
}
