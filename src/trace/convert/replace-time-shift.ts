import { type FileHandle, realpath } from 'node:fs/promises';
import { exitCode, Failure } from '../../base/failure.ts';
import { qualityNote, withoutQuality } from '../dat/clock-quality.ts';
import { optionId } from '../dat/ids.ts';
import { readTraceFile } from '../dat/read/read-trace-file.ts';
import { formatTimeShift, type TimeShift } from '../dat/time-shift.ts';
import { cString, type Option } from '../dat/write/options.ts';
import { copyWithOptions } from '../dat/write/other-options.ts';
import { openInput } from '../file/open-input.ts';
import { Output } from '../file/output.ts';
import { writeReplacing } from '../file/write-replacing.ts';
import { parseUsualLayout } from '../metadata/usual-layout.ts';
import { unreadable } from '../source/unreadable.ts';

/** Bytes between two looks at the signal. */
const partSize = 64 << 20;

/**
 * Gives a trace.dat another TIME_SHIFT. Writes a copy next to it and renames it once it is on disk: until then, and after
 * any failure, the old file is as it was. Needs space for the copy; takes a few MiB of memory. The copy has the mode
 * of the old file and, if permitted, its owner. The target of a symbolic link is replaced.
 *
 * @param signal ends it: throws the signal's reason
 * @throws Failure
 */
export async function replaceTimeShift(path: string, shift: TimeShift, signal?: AbortSignal): Promise<void> {
  const input = await openInput(path);
  try {
    const { mode, uid, gid } = await input.stat();
    const trace = await readTraceFile(input);
    const { pageBytes } = parseUsualLayout(trace.headerPage);
    const copyTo = async (file: FileHandle): Promise<void> => {
      const output = new Output(file);
      const copy = async (from: number, to: number): Promise<void> => {
        for (let at = from; at < to; at += partSize) {
          signal?.throwIfAborted();
          const bytes = Math.min(partSize, to - at);
          if ((await output.appendRange(input, at, bytes)) < bytes) throw shrank(path);
        }
      };
      await copyWithOptions(input, trace, { output, copy, pageBytes }, (options) =>
        withShift(options, shift),
      );
      // only root may give a file away
      await file.chown(uid, gid).catch(() => undefined);
      await file.chmod(mode & 0o7777);
    };
    await writeReplacing(await realpath(path), copyTo, { elsewhere: 'align a copy of it elsewhere' });
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await input.close();
  }
}

function withShift(options: readonly Option[], shift: TimeShift): Option[] {
  const others = options.filter(({ id }) => id !== optionId.timeShift);
  const noted = others.map(({ id, content }): Option => {
    if (id !== optionId.version) return { id, content };
    const nul = content.indexOf(0);
    const { writer } = withoutQuality(content.toString('latin1', 0, nul < 0 ? content.length : nul));
    const note = shift.quality === undefined ? '' : qualityNote(shift.quality);
    return { id, content: cString(`${writer}${note}`) };
  });
  return [...noted, { id: optionId.timeShift, content: formatTimeShift(shift) }];
}

function shrank(path: string): Failure {
  return new Failure(
    exitCode.failed,
    `${path} shrank while it was copied`,
    'try again once no process writes to it',
  );
}
