import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, Failure } from '../../../base/failure.ts';
import { readRecording } from '../../../trace/recording/recording-format.ts';
import { recordingDirOf } from '../../../trace/recording/recording-dir.ts';

/** How long to wait until the guest has reported what it traces; old agents do not. */
const describedMs = 3000;
const pollMs = 50;

/**
 * The directory of the recording that becomes `path`, or that is `path`. Waits until the guest has reported the size of
 * its pages. Throws Failure if there is none.
 */
export async function followedRecording(path: string): Promise<string> {
  const dir = [path, recordingDirOf(path)].find(isDirectory);
  if (dir === undefined)
    throw new Failure(
      exitCode.missing,
      `${path}: no recording is running`,
      'specify the file that trace-host record writes, or its .recording directory',
    );
  const from = performance.now();
  while (performance.now() - from < describedMs) {
    const { instance, endedAt } = await readRecording(dir);
    if (instance !== undefined || endedAt !== null) break;
    await sleep(pollMs);
  }
  return dir;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
