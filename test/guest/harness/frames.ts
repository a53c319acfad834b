/** Types of the frames between the harness and `shell-server.c`, which documents their contents. */
export const frameType = {
  run: 1,
  stdin: 2,
  kill: 3,
  hello: 16,
  started: 17,
  stdout: 18,
  stderr: 19,
  exit: 20,
} as const;

export interface Frame {
  readonly id: number;
  readonly type: number;
  readonly data: Buffer;
}

const headBytes = 12;

export function encodeFrame(id: number, type: number, data: Uint8Array): Buffer {
  const frame = Buffer.alloc(headBytes + data.length);
  frame.writeUInt32LE(id, 0);
  frame.writeUInt32LE(type, 4);
  frame.writeUInt32LE(data.length, 8);
  frame.set(data, headBytes);
  return frame;
}

/** Splits a byte stream into frames. */
export class FrameReader {
  #parts: Buffer[] = [];
  #held = 0;

  /** Takes received bytes and yields the frames that are complete. */
  *push(bytes: Buffer): Generator<Frame> {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    if (this.#held < headBytes) return;
    let rest = Buffer.concat(this.#parts);
    while (rest.length >= headBytes) {
      const end = headBytes + rest.readUInt32LE(8);
      if (rest.length < end) break;
      yield { id: rest.readUInt32LE(0), type: rest.readUInt32LE(4), data: rest.subarray(headBytes, end) };
      rest = rest.subarray(end);
    }
    this.#parts = [rest];
    this.#held = rest.length;
  }
}
