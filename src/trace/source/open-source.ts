import { stat } from 'node:fs/promises';
import { exitCode, Failure } from '../../base/failure.ts';
import { openDatSource } from './dat-source.ts';
import { openRecordingSource } from './recording-source.ts';
import type { TraceSource } from './source.ts';

/** Opens a trace.dat or a recording directory. The caller closes it. Throws Failure that names the path. */
export async function openSource(path: string): Promise<TraceSource> {
  if (path === '')
    throw new Failure(
      exitCode.usage,
      'the path of the trace is empty',
      'specify a trace.dat, or a .recording directory',
    );
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true ? openRecordingSource(path) : openDatSource(path);
}
