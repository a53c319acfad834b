import { statfsSync } from 'node:fs';
import { Failure } from '../../../base/failure.ts';
import { startCommand } from '../command.ts';
import type { RecordEnd, RecordOptions, RecordProgress } from '../contract.ts';
import { diskFull, type Entry, keptBytes, outputGone, placeOf } from './entry.ts';

const tickMs = 500;
/** Free space that must remain on the disk: enough for the task names and the report. */
const reservedBytes = 16 * 1024 * 1024;

export interface Watched {
  readonly entries: readonly Entry[];
  readonly options: RecordOptions;
  readonly progress: (progress: RecordProgress) => void;
  /** What to look at regularly. Each is called again half a second after it has settled; none may reject. */
  readonly looks: readonly (() => Promise<void>)[];
  /** Ends the recording; only the first call counts. */
  readonly end: (end: RecordEnd) => void;
  readonly ended: Promise<RecordEnd>;
}

/** Runs the command if there is one, and watches a recording until its end. */
export async function untilEnd({
  entries,
  options,
  progress: tell,
  looks,
  end,
  ended,
}: Watched): Promise<RecordEnd> {
  const fromMs = performance.now();
  const { command, commandOutput, durationMs, maxBytes } = options;
  const child =
    command.length === 0
      ? undefined
      : startCommand(command, commandOutput, (commandEnd) => {
          end(
            commandEnd instanceof Failure
              ? { kind: 'failed', why: commandEnd }
              : { kind: 'command', ...commandEnd },
          );
        });
  const busy = new Set<() => Promise<void>>();
  const ticker = setInterval(() => {
    const elapsedMs = performance.now() - fromMs;
    const progress = progressOf(entries, elapsedMs);
    if (progress === undefined) {
      end({ kind: 'failed', why: outputGone(entries) });
      return;
    }
    tell(progress);
    if (durationMs !== undefined && elapsedMs >= durationMs) end({ kind: 'duration' });
    if (maxBytes !== undefined && keptBytes(progress) >= maxBytes) end({ kind: 'max-size' });
    if (progress.freeBytes < reservedBytes) end({ kind: 'failed', why: diskFull(entries) });
    for (const look of looks) {
      if (busy.has(look)) continue;
      busy.add(look);
      void look().finally(() => busy.delete(look));
    }
  }, tickMs);
  // a duration may be shorter than the tick
  const timer =
    durationMs === undefined ? undefined : setTimeout(() => end({ kind: 'duration' }), durationMs);
  try {
    return await ended;
  } finally {
    clearInterval(ticker);
    clearTimeout(timer);
    if (child?.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    // a child that ignores SIGTERM must not keep this process alive
    child?.unref();
  }
}

/** Undefined when the directory of the files was removed. */
function progressOf(entries: readonly Entry[], elapsedMs: number): RecordProgress | undefined {
  const guests = entries.map(({ recording }) => ({
    label: recording.guest.label,
    cpus: recording.sets.progressOfAll,
  }));
  try {
    const { bavail, bsize } = statfsSync(placeOf(entries));
    return { elapsedMs, guests, freeBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}
