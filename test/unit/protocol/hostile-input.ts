import { maxLineBytes } from '../../../src/protocol/line-reader.ts';

/** Input that a careless or hostile host may send to the control port: random bytes, and malformed orders. */

export const hostileOrders: readonly string[] = [
  '1',
  '0',
  '10',
  '{"order":"ping"}',
  '{"id":1,"order":"start"}',
  '{"id":"a","order":"stop"}',
  '{"id":2,"order":"status"}',
  '{"id":3,"order":"start","trace":{"events":["sched","irq:irq_handler_entry"],"bufferPercent":10}}',
  '{"id":4,"order":"start","trace":{"filters":{"sched:sched_switch":"prev_pid != 0"},"clock":"boot"}}',
  '{"id":5,"order":"start","trace":{"instance":"x","tracer":"nop","bufferKb":64}}',
];

const noise = [
  '\n',
  '\0',
  '{',
  '}',
  '[',
  '"',
  '\\',
  ':',
  ',',
  '-',
  '1',
  '0',
  'e9',
  ' ',
  '\r',
  '\t',
  '\uFEFF',
  'é',
  '\\u0000',
  'null',
  '__proto__',
];

/** Without those that restart workers, which takes seconds each in an emulated guest. */
export const quickOrders = hostileOrders.filter((order) => !order.includes('instance'));

/** Yields the same bytes for the same seed. */
export class HostileInput {
  readonly #orders: readonly string[];
  #state: number;

  constructor(seed: number, orders = hostileOrders) {
    this.#state = seed >>> 0;
    this.#orders = orders;
  }

  /** The next piece: from empty to longer than a line may be; it may contain newlines. */
  next(): Uint8Array {
    const kind = this.#below(100);
    if (kind === 0) return this.#endless();
    if (kind < 25) return this.#bytes(this.#below(200));
    let bytes = Buffer.from(this.#orders[this.#below(this.#orders.length)] ?? '');
    for (let times = this.#below(6); times > 0; times -= 1) bytes = this.#mutate(bytes);
    return bytes;
  }

  /** An integer from 0 to `bound` - 1 (mulberry32). */
  #below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  #bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.#below(256)));
  }

  /** Longer than a line may be, or nested too deeply for a parser. */
  #endless(): Buffer {
    const text = ['{"order":"', '[', '1', '{"a":', '"'][this.#below(5)] ?? '';
    return Buffer.from(text.repeat(1 + this.#below((maxLineBytes * 1.1) / text.length)));
  }

  #mutate(bytes: Buffer): Buffer<ArrayBuffer> {
    const at = this.#below(bytes.length + 1);
    const to = at + this.#below(bytes.length - at + 1);
    const [head, middle, tail] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
    switch (this.#below(6)) {
      case 0: // cut
        return Buffer.concat([head]);
      case 1: // left out
        return Buffer.concat([head, tail]);
      case 2: // doubled
        return Buffer.concat([head, middle, middle, tail]);
      case 3: // noise in between
        return Buffer.concat([head, Buffer.from(noise[this.#below(noise.length)] ?? ''), middle, tail]);
      case 4: // a bit flipped
        return Buffer.concat([
          head,
          middle.map((byte, index) => (index === 0 ? byte ^ (1 << this.#below(8)) : byte)),
          tail,
        ]);
      default: // another order behind
        return Buffer.concat([
          head,
          Buffer.from(this.#orders[this.#below(this.#orders.length)] ?? ''),
          middle,
          tail,
        ]);
    }
  }
}
