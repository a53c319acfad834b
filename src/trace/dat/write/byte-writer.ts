/** Builds little-endian binary data. */
export class ByteWriter {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(piece: Uint8Array): this {
    this.#pieces.push(piece);
    this.#length += piece.length;
    return this;
  }

  u8(value: number): this {
    return this.bytes(Uint8Array.of(value));
  }

  u16(value: number): this {
    const piece = Buffer.alloc(2);
    piece.writeUInt16LE(value);
    return this.bytes(piece);
  }

  u32(value: number): this {
    const piece = Buffer.alloc(4);
    piece.writeUInt32LE(value);
    return this.bytes(piece);
  }

  u64(value: number | bigint): this {
    const piece = Buffer.alloc(8);
    piece.writeBigUInt64LE(BigInt(value));
    return this.bytes(piece);
  }

  /** Latin-1 text without a terminator. */
  text(text: string): this {
    return this.bytes(Buffer.from(text, 'latin1'));
  }

  /** NUL-terminated text. */
  string(text: string): this {
    return this.text(text).u8(0);
  }

  finish(): Buffer {
    return Buffer.concat(this.#pieces, this.#length);
  }
}
