import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FramedTrace, readFramed } from '../../../../src/trace/framed/framed-trace.ts';
import { pagesOfExtents } from '../../../../src/trace/convert/raw-pages.ts';
import {
  encodeFrameHeader,
  encodeHead,
  type FrameKind,
  frameKinds,
} from '../../../../src/protocol/frames.ts';

export const sync = Buffer.from('5a17c0de00ff1234', 'hex');

export function head(pageBytes: number): Buffer {
  return Buffer.from(encodeHead({ pageBytes, sync }));
}

/**
 * @param bytes size in the header; more than `body` has if the frame was cut off
 * @param bytes as the header says; more than `body` has where it was cut off
 */
export function pagesFrame(cpu: number, position: number, body: Uint8Array, bytes = body.byteLength): Buffer {
  return Buffer.concat([encodeFrameHeader(sync, { kind: frameKinds.pages, cpu, bytes, position }), body]);
}

export function otherFrame(kind: FrameKind, body: Uint8Array | object): Buffer {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  const header = encodeFrameHeader(sync, { kind, cpu: 0, bytes: bytes.byteLength, position: 0 });
  return Buffer.concat([header, bytes]);
}

let files = 0;

/** Calls `use` with an unnamed file of these bytes. */
export async function withFile<T>(bytes: Uint8Array, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const path = join(tmpdir(), `framed-test-${process.pid}-${files++}`);
  closeSync(openSync(path, 'wx'));
  writeFileSync(path, bytes);
  const file = await open(path);
  unlinkSync(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

export interface ReadStream {
  readonly trace: FramedTrace;
  /** Whole pages by CPU. */
  readonly pages: ReadonlyMap<number, Buffer>;
}

export function readStream(bytes: Uint8Array): Promise<ReadStream> {
  return withFile(bytes, async (file) => {
    const trace = await readFramed(file, 'stream');
    const pages = new Map<number, Buffer>();
    for (const [cpu, extents] of trace.cpus) {
      const blocks: Buffer[] = [];
      const raw = pagesOfExtents(file, () => extents.wholePages(trace.pageBytes));
      for await (const block of raw.blocks()) blocks.push(Buffer.from(block));
      pages.set(cpu, Buffer.concat(blocks));
    }
    return { trace, pages };
  });
}
