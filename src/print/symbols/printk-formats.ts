import { linesOf } from '../../base/lines.ts';

/** Limit for the length of one text, the same as for a print format. */
const maxFormatBytes = 1 << 20;
/** Limit for the number of texts; Debian's kernel has 100. */
const maxFormats = 100_000;

/**
 * Format strings of trace_printk by address, from the text of `printk_formats`: lines `0xADDRESS : "TEXT"`.
 * Quotes and a final `\n` are removed, other escapes stay.
 */
export class PrintkFormats {
  readonly #texts = new Map<bigint, Uint8Array>();
  readonly #entries: (readonly [address: bigint, text: Uint8Array])[] = [];

  constructor(text: Uint8Array) {
    const whole = Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1');
    for (const line of linesOf(whole)) {
      if (this.#entries.length >= maxFormats) return;
      const colon = line.indexOf(':');
      if (colon < 0) continue;
      const address = /^\s*(?:0x)?([0-9a-f]{1,16})/i.exec(line)?.[1];
      if (address === undefined) continue;
      let format = line.slice(colon + 2, colon + 2 + maxFormatBytes);
      if (format.startsWith('"')) format = format.slice(1);
      if (format.endsWith('"')) format = format.slice(0, -1);
      if (format.endsWith('\\n')) format = format.slice(0, -2);
      const entry = [BigInt(`0x${address}`), Buffer.from(format, 'latin1')] as const;
      this.#texts.set(...entry);
      this.#entries.push(entry);
    }
  }

  get(address: bigint): Uint8Array | undefined {
    return this.#texts.get(address);
  }

  /** Addresses and texts by ascending address; if several share an address, the last one comes first. */
  entries(): (readonly [address: bigint, text: Uint8Array])[] {
    return this.#entries.toReversed().sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }
}
