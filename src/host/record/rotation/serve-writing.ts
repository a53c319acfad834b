import { setPriority } from 'node:os';
import { errorCode } from '../../../base/error-code.ts';
import { type ExitCode, exitCode, Failure } from '../../../base/failure.ts';
import { exitNow, nameProcess } from '../../../native/process/process.ts';
import { removeUnfinishedFiles } from '../../../trace/file/unfinished-files.ts';
import { type SetJob, type SetResult, writeSet } from './write-set.ts';

/** Lower than that of the recording, so that its pages are collected first. */
const niceness = 10;

/**
 * Writes the sets of a recording, one after the other, as a child of `trace-host record`, until that closes the channel.
 * If it ends in the middle of a set, nothing of the file stays. @throws Failure
 */
export async function serveWriting(): Promise<ExitCode> {
  if (process.send === undefined)
    throw new Failure(
      exitCode.usage,
      'write-sets is for trace-host itself',
      'use trace-host record --rotate',
    );
  nameProcess('trace-host', 'trace-host: writes the files of a recording');
  lowerPriority();
  // a service manager sends a signal to all processes of a service; this one ends when its parent has no more sets
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  let isWriting = false;
  const closed = new Promise<void>((resolve) => {
    process.on('disconnect', () => {
      resolve();
      if (!isWriting) return;
      removeUnfinishedFiles();
      exitNow(exitCode.failed);
    });
  });
  const write = async (job: SetJob): Promise<void> => {
    isWriting = true;
    const result: SetResult = await writeSet(job);
    isWriting = false;
    process.send?.(result, undefined, undefined, () => undefined);
  };
  process.on('message', (job: SetJob) => void write(job));
  if (process.connected) await closed;
  return exitCode.done;
}

function lowerPriority(): void {
  try {
    setPriority(niceness);
  } catch (cause) {
    // EPERM: a service manager may have set another one
    if (errorCode(cause) === '') throw cause;
  }
}
