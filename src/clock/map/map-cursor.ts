import { beyond, type ClockMap } from './clock-map.ts';

/**
 * Converts guest times to host times, as numbers and without allocating. Guest times are ns after `guestOrigin`, host
 * times after `hostOrigin`; exact to the ns while both are below 2^52. Fastest for times in order.
 */
export class MapCursor {
  /** The host time found by the last `seek`, and its bound. */
  host = 0;
  bound = 0;
  /** Index of the segment in which that time lies; the first or last for a time outside all, −1 if there are none. */
  segment: number;
  readonly #from: Float64Array;
  readonly #to: Float64Array;
  /** Host time and bound at `from`, and their growth per ns. The last two rows are the head and the tail. */
  readonly #host: Float64Array;
  readonly #rate: Float64Array;
  readonly #bound: Float64Array;
  readonly #growth: Float64Array;
  readonly #count: number;
  readonly #first: number;
  readonly #last: number;

  constructor(map: ClockMap, guestOrigin: bigint, hostOrigin: bigint) {
    const { segments, head, tail } = map;
    const count = segments.length;
    this.#count = count;
    this.segment = count > 0 ? 0 : -1;
    const column = (): Float64Array => new Float64Array(count + 2);
    [this.#from, this.#to, this.#host] = [column(), column(), column()];
    [this.#rate, this.#bound, this.#growth] = [column(), column(), column()];
    segments.forEach(({ guestFrom, guestTo, hostFrom, hostTo, boundFrom, boundTo }, i) => {
      const length = Math.max(1, Number(guestTo - guestFrom));
      this.#from[i] = Number(guestFrom - guestOrigin);
      this.#to[i] = Number(guestTo - guestOrigin);
      this.#host[i] = Number(hostFrom - hostOrigin);
      this.#rate[i] = Number(hostTo - hostFrom - (guestTo - guestFrom)) / length;
      this.#bound[i] = boundFrom + 2;
      this.#growth[i] = (boundTo - boundFrom) / length;
    });
    [head, tail].forEach((end, i) => {
      this.#from[count + i] = Number(end.guest - guestOrigin);
      this.#host[count + i] = Number(beyond(end, end.guest).ns - hostOrigin);
      this.#rate[count + i] = end.rate;
      this.#bound[count + i] = end.bound + 2;
      this.#growth[count + i] = end.growth;
    });
    this.#first = this.#from[count]!;
    this.#last = this.#from[count + 1]!;
  }

  /** Sets `host` and `bound` to those of a guest's time. */
  seek(guest: number): void {
    const row = this.#rowOf(guest);
    const after = guest - this.#from[row]!;
    this.host = this.#host[row]! + after + after * this.#rate[row]!;
    this.bound = this.#bound[row]! + (row < this.#count ? after : Math.abs(after)) * this.#growth[row]!;
  }

  #rowOf(guest: number): number {
    const count = this.#count;
    if (guest < this.#first) {
      this.segment = Math.min(0, count - 1);
      return count;
    }
    if (guest > this.#last || count === 0) {
      this.segment = count - 1;
      return count + 1;
    }
    let at = Math.max(0, this.segment);
    if (at + 1 < count && guest >= this.#from[at + 1]!) at++;
    if (guest < this.#from[at]! || (at + 1 < count && guest >= this.#from[at + 1]!)) at = this.#search(guest);
    this.segment = at;
    return at;
  }

  #search(guest: number): number {
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#from[middle]! <= guest) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
