import { open, rm, type FileHandle } from 'node:fs/promises';
import { errnoOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { headSize } from '../../protocol/frames.ts';
import { refusalOf } from '../file/write-replacing.ts';
import { isFramedFile } from './framed-trace.ts';

/** A stream that was saved to a file. */
export interface Spooled {
  readonly file: FileHandle;
  /** The caller removes this file only after a successful conversion: the stream cannot be read again. */
  readonly path: string;
  /** The reason why the stream was cut short; undefined if it is complete. */
  readonly broken: Failure | undefined;
}

/**
 * Saves a framed stream to `OUT.framed`, since converting it needs random access. After an error the part received so
 * far stays. @throws Failure if the file cannot be created, or the input is not a framed stream
 */
export async function spooled(source: AsyncIterable<Uint8Array>, out: string): Promise<Spooled> {
  const path = `${out}.framed`;
  const file = await create(path);
  let bytes = 0;
  try {
    for await (const chunk of source) {
      for (let done = 0; done < chunk.length; )
        done += (await file.write(chunk, done, chunk.length - done, bytes + done)).bytesWritten;
      const isNew = bytes < headSize;
      bytes += chunk.length;
      if (isNew && bytes >= headSize) await mustBeFramed(file, path);
    }
    if (bytes < headSize) await mustBeFramed(file, path);
    return { file, path, broken: undefined };
  } catch (error) {
    if (!(error instanceof Failure) && bytes >= headSize) {
      const refused = await refusalOf(path, file, error);
      if (refused instanceof Failure) return { file, path, broken: refused };
    }
    await file.close().catch(() => undefined);
    throw error;
  }
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+', 0o600);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST')
      throw new Failure(
        exitCode.usage,
        `${path} already exists, from an earlier stream`,
        `convert it (trace-host convert ${path}) or remove it`,
        { cause: error },
      );
    throw await refusalOf(path, undefined, error);
  }
}

async function mustBeFramed(file: FileHandle, path: string): Promise<void> {
  if (await isFramedFile(file)) return;
  await rm(path);
  throw new Failure(
    exitCode.failed,
    'stdin is not a framed stream',
    'use trace-agent -o --framed to write one; raw pages must be in files',
  );
}
