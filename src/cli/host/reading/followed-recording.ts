import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCode, Failure } from '../../../base/failure.ts';
import { readRecording } from '../../../trace/recording/recording-format.ts';
import { recordingDirOf } from '../../../trace/recording/recording-dir.ts';

/** How long to wait for the guest's trace description; old agents do not send it. */
const describedMs = 3000;
const pollMs = 50;

/**
 * The directory of the recording that will become `path`, or `path` if it is that directory. Waits until the guest has
 * reported its page size. Throws Failure if there is no recording.
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
