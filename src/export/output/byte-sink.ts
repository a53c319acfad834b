import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { createGzip } from 'node:zlib';

/** Receives an export's bytes in order. */
export interface ByteSink {
  /** Writes all of `bytes`, which must not change until the promise settles. One call at a time. */
  write(bytes: Uint8Array): Promise<void>;
}

export function fileSink(file: FileHandle): ByteSink {
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
    },
  };
}

/** A sink that writes to a stream and does not end it. */
export function streamSink(stream: Writable): ByteSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        // an error before the write, or between two writes, does not reach the callback
        if (stream.errored) reject(stream.errored);
        else stream.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
  };
}

/** gzip levels above 3 more than double the time of an export, for a 10 % smaller output. */
const gzipLevel = 3;
const gzipChunkBytes = 256 << 10;

/** Calls `fill` with a sink that compresses into `to`; returns when the whole gzip member is written. */
export async function gzipped<T>(to: ByteSink, fill: (sink: ByteSink) => Promise<T>): Promise<T> {
  const zip = createGzip({ level: gzipLevel, chunkSize: gzipChunkBytes });
  const moved = move(zip, to);
  const compressed = streamSink(zip);
  try {
    const result = await fill({
      write: async (bytes) => {
        await Promise.race([compressed.write(bytes), moved.then(endedEarly)]);
      },
    });
    zip.end();
    await moved;
    return result;
  } finally {
    zip.destroy();
    // the first error has already been reported
    await moved.catch(() => undefined);
  }
}

async function move(from: AsyncIterable<unknown>, to: ByteSink): Promise<void> {
  for await (const chunk of from) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('zlib returned something other than bytes');
    await to.write(chunk);
  }
}

function endedEarly(): never {
  throw new Error('gzip ended before its input');
}
