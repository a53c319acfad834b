import { existsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { TraceFileError } from '../dat/read/byte-reader.ts';
import { FormatError } from '../format/format-error.ts';
import { isFramedFile } from '../framed/framed-trace.ts';
import { recordingFile } from '../recording/recording-format.ts';

const whatToGive = 'specify a trace.dat, or a .recording directory';

/** Formats that are often given in place of a trace.dat, by their first bytes. */
const otherFormats: readonly (readonly [begin: string, what: string, remedy: string])[] = [
  ['1f8b', 'compressed with gzip', 'decompress it first'],
  ['28b52ffd', 'compressed with zstd', 'decompress it first'],
  ['fd377a585a00', 'compressed with xz', 'decompress it first'],
  ['50415231', 'a Parquet file', whatToGive],
];

/** The Failure for a trace.dat that cannot be opened because of its contents; any other error unchanged. */
export async function notOpened(path: string, file: FileHandle, error: unknown): Promise<unknown> {
  if (!(error instanceof TraceFileError) || error.kind !== 'other') return unreadable(path, error);
  const failure = (what: string, remedy: string): Failure =>
    new Failure(exitCode.failed, `${path}: ${what}not a trace.dat`, remedy, { cause: error });
  if ((await file.stat()).size === 0) return failure('an empty file, ', whatToGive);
  if (await isFramedFile(file))
    return failure(
      'a framed stream of trace-agent -o --framed, ',
      'convert it with trace-host convert first',
    );
  const dir = dirname(path);
  if (existsSync(join(dir, recordingFile)))
    return failure('a part of a recording, ', `specify the recording's directory, ${dir}`);
  const head = Buffer.alloc(8);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const begin = head.toString('hex', 0, bytesRead);
  const [, what, remedy] = otherFormats.find(([bytes]) => begin.startsWith(bytes)) ?? [];
  if (what !== undefined && remedy !== undefined) return failure(`${what}, `, remedy);
  return failure('', `${whatToGive}; for raw pages of a ring, see trace-host convert --help`);
}

/** The Failure for a trace.dat whose contents cannot be read; any other error unchanged. */
export function unreadable(path: string, error: unknown): unknown {
  if (!(error instanceof TraceFileError) && !(error instanceof FormatError)) return error;
  const isUnsupported = error instanceof TraceFileError && error.kind === 'unsupported';
  return new Failure(
    exitCode.failed,
    `${path}: not a readable trace.dat: ${error.message}`,
    isUnsupported
      ? 'read it with trace-cmd report'
      : 'it is damaged or incomplete: copy it again, or convert its .recording directory',
    { cause: error },
  );
}
