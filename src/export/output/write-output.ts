import { realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import type { Writable } from 'node:stream';
import { exitCode, Failure } from '../../base/failure.ts';
import { writeReplacing } from '../../trace/file/write-replacing.ts';
import { type ByteSink, fileSink, gzipped, streamSink } from './byte-sink.ts';

/**
 * Calls `fill` to write to a file or a stream. A file appears when complete and replaces an older one. A stream is not
 * ended. Throws Failure for file system errors, and errors that the stream emits.
 * @param input path of the trace: an output must not replace it
 * @param gzip whether to compress; by default if the path ends in `.gz`
 * @returns the result of `fill`, and the number of bytes written
 */
export async function writeOutput<T>(
  input: string,
  to: string | Writable,
  gzip: boolean | undefined,
  fill: (sink: ByteSink) => Promise<T>,
): Promise<{ readonly result: T; readonly bytes: number }> {
  const isPacked = gzip ?? (typeof to === 'string' && to.endsWith('.gz'));
  let bytes = 0;
  const write = async (sink: ByteSink): Promise<T> => {
    const counting: ByteSink = {
      write: (some) => {
        bytes += some.length;
        return sink.write(some);
      },
    };
    return isPacked ? gzipped(counting, fill) : fill(counting);
  };
  if (typeof to !== 'string') return { result: await write(streamSink(to)), bytes };
  await checkNotInput(input, to);
  const { result } = await writeReplacing(to, (file) => write(fileSink(file)));
  return { result, bytes };
}

/** Checks that writing `out` would not overwrite `input`, or one of its files if it is a recording. Throws Failure. */
async function checkNotInput(input: string, out: string): Promise<void> {
  const [from, to] = await Promise.all([identity(input), identity(out)]);
  const real = await realpath(out).catch(() => undefined);
  const isInside = real?.startsWith(`${await realpath(input).catch(() => input)}${sep}`) === true;
  if ((to === undefined || from !== to) && !isInside) return;
  throw new Failure(exitCode.usage, `${out} is the input trace`, 'specify another file with -o');
}

async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}
