import { onEndSignals } from '../../../base/end-signals.ts';
import { exitCode, Failure } from '../../../base/failure.ts';
import type { ExportOptions, ExportProgress } from '../../../export/export-options.ts';
import { exitNow } from '../../../native/process/process.ts';
import { removeUnfinishedFiles } from '../../../trace/file/unfinished-files.ts';
import { humanBytes } from '../../report/human.ts';
import { LiveText } from '../../report/live-text.ts';
import { Waiting } from '../../report/waiting.ts';

/**
 * Runs an export with a progress display on stderr. The first signal cancels the export cleanly, the second one ends
 * the process at once.
 * @param what printable, e.g. `writing a.pftrace`; or a function that says it
 * @param interrupted what to say after a signal
 */
export async function watched<T>(
  what: string | (() => string),
  run: (options: Required<Pick<ExportOptions, 'signal' | 'onProgress'>>) => Promise<T>,
  interrupted = (): string => 'interrupted; nothing was written',
): Promise<T> {
  let progress: ExportProgress | undefined;
  const ended = new AbortController();
  const interrupt = (): void => ended.abort(new Failure(exitCode.failed, interrupted()));
  const abandon = (): void => {
    removeUnfinishedFiles();
    exitNow(exitCode.failed);
  };
  // the handlers stay until the process ends: a late signal must not change the exit code
  onEndSignals(interrupt, abandon, interrupt);
  const waiting = new Waiting(new LiveText(process.stderr), () =>
    typeof what === 'string' ? `${what}${progressText(progress)}` : what(),
  );
  try {
    return await run({
      signal: ended.signal,
      onProgress: (now) => {
        progress = now;
      },
    });
  } finally {
    waiting.stop();
  }
}

function progressText(progress: ExportProgress | undefined): string {
  if (progress === undefined) return '';
  const { events, doneBytes, totalBytes } = progress;
  if (totalBytes === 0) return `, ${events} events`;
  return `, ${Math.min(100, Math.floor((doneBytes / totalBytes) * 100))} % of ${humanBytes(totalBytes)}`;
}
