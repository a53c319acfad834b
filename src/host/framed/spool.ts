import { open, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '../../error-code.ts';
import { exitCode, Failure } from '../../failure.ts';
import { headSize, isFramed } from '../../protocol/frames.ts';

/**
 * Takes a framed stream into a file, which is read from more than one place at once. It is beside the one that is to be
 * made, and has no name: it is gone with its descriptor. @throws Failure
 */
export async function spooled(source: AsyncIterable<Uint8Array>, out: string): Promise<FileHandle> {
  const path = join(dirname(out), `.${basename(out)}.${process.pid}.stdin`);
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'wx+', 0o600);
    await rm(path);
    let bytes = 0;
    for await (const chunk of source) {
      for (let done = 0; done < chunk.length; )
        done += (await file.write(chunk, done, chunk.length - done, bytes + done)).bytesWritten;
      const isNew = bytes < headSize;
      bytes += chunk.length;
      if (isNew && bytes >= headSize) await mustBeFramed(file);
    }
    if (bytes < headSize) await mustBeFramed(file);
    return file;
  } catch (error) {
    await file?.close().catch(() => undefined);
    if (error instanceof Failure) throw error;
    throw new Failure(
      exitCode.failed,
      `what comes from stdin cannot be kept beside ${out}: ${codeOf(error)}`,
      'make room, or write elsewhere with -o',
      { cause: error },
    );
  }
}

async function mustBeFramed(file: FileHandle): Promise<void> {
  const head = Buffer.alloc(headSize);
  const { bytesRead } = await file.read(head, 0, headSize, 0);
  if (bytesRead === headSize && isFramed(head)) return;
  throw new Failure(
    exitCode.failed,
    'what comes from stdin is no framed stream',
    'have it written by trace-agent -o --framed; raw pages are converted from files',
  );
}
