import { realpath, stat } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import type { Writable } from 'node:stream';
import { exitCode, Failure } from '../../base/failure.ts';
import { writeReplacing } from '../../trace/file/write-replacing.ts';
import { type ByteSink, fileSink, gzipped, streamSink } from './byte-sink.ts';

/**
 * Calls `fill` to write to a file or a stream. A file appears when complete and replaces an older one. A stream is not
 * ended. Throws Failure for file system errors; errors of the stream are rethrown as they are.
 * @param inputs paths of the traces: an output must not replace one
 * @param gzip whether to compress; by default if the path ends in `.gz`
 * @param option that gives `to`, for messages
 * @returns the result of `fill`, and the number of bytes written
 */
export async function writeOutput<T>(
  inputs: readonly string[],
  to: string | Writable,
  gzip: boolean | undefined,
  fill: (sink: ByteSink) => Promise<T>,
  option = '-o',
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
  for (const input of inputs) await checkNotInput(input, to, option);
  const { result } = await writeReplacing(to, (file) => write(fileSink(file)), { option });
  return { result, bytes };
}

/**
 * Checks that writing `out` would not overwrite `input`, nor write into it if it is a recording: the directory of a
 * recording is removed after its conversion. Throws Failure.
 * @param option that gives `out`, for messages
 */
export async function checkNotInput(input: string, out: string, option = '-o'): Promise<void> {
  const [from, to] = await Promise.all([identity(input), identity(out)]);
  const isInside = (real: string | undefined, dir: string): boolean =>
    real !== undefined && `${real}${sep}`.startsWith(`${dir}${sep}`);
  const whole = await realpath(input).catch(() => input);
  const real = await realpath(out).catch(() => undefined);
  const parent = await realpath(dirname(out)).catch(() => undefined);
  if ((to !== undefined && from === to) || isInside(real, whole))
    throw new Failure(exitCode.usage, `${out} is the input trace`, `specify another file with ${option}`);
  if (isInside(parent, whole))
    throw new Failure(
      exitCode.usage,
      `${out} is in the input recording`,
      `specify another place with ${option}`,
    );
}

async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}
