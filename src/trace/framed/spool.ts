import { open, rm, type FileHandle } from 'node:fs/promises';
import { errnoOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { headSize } from '../../protocol/frames.ts';
import { refusalOf } from '../file/write-replacing.ts';
import { isFramedFile } from './framed-trace.ts';

/** A stream that was taken into a file. */
export interface Spooled {
  readonly file: FileHandle;
  /** Who has what they want of it removes it: it cannot be taken again. */
  readonly path: string;
  /** Why it ended before its end; undefined when it did not. */
  readonly broken: Failure | undefined;
}

/**
 * Takes a framed stream into a file of its own, `OUT.framed`, which is read from more than one place at once. What came
 * until a fault stays. @throws Failure when the file cannot be made, or what comes is no framed stream
 */
export async function spooled(source: AsyncIterable<Uint8Array>, out: string): Promise<Spooled> {
  const path = `${out}.framed`;
  const file = await made(path);
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

async function made(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+', 0o600);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST')
      throw new Failure(
        exitCode.usage,
        `${path} is there, of an earlier stream`,
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
    'what comes from stdin is no framed stream',
    'have it written by trace-agent -o --framed; raw pages are converted from files',
  );
}
