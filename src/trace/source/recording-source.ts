import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { blocksOf } from '../file/blocks.ts';
import { openInput } from '../file/open-input.ts';
import { keptFiles } from '../recording/raw-file.ts';
import { metadataFile, rawFile, readRecording } from '../recording/recording-format.ts';
import { readRecordingMetadata } from '../recording/recording-metadata.ts';
import type { SourceCpu, TraceSource } from './source.ts';

/** Opens a recording directory, finished or not. Throws Failure that names the path. */
export async function openRecordingSource(dir: string): Promise<TraceSource> {
  const recording = await readRecording(dir);
  const { metadata, unseen = null } = await readRecordingMetadata(dir, recording);
  const { layout, catalogue, uname, clock, symbols, savedCmdlines, savedTgids, stats } = metadata;
  const cpus: SourceCpu[] = [];
  for (const { cpu } of recording.cpus) cpus.push(await cpuOf(dir, cpu));
  const rawBytes = cpus.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
  return {
    path: dir,
    kind: 'recording',
    format: undefined,
    totalBytes: (await stat(join(dir, metadataFile))).size + rawBytes,
    layout,
    catalogue,
    uname,
    writer: '',
    traceId: undefined,
    symbols,
    unseen,
    taskNames: savedCmdlines.toString('latin1'),
    taskGroups: savedTgids.toString('latin1'),
    processes: metadata.others.get('ps')?.toString('latin1') ?? '',
    cpuStats: stats,
    buffers: [{ name: '', clock: recording.clock ?? clock, cpus }],
    recording,
    close: () => Promise.resolve(),
  };
}

async function cpuOf(dir: string, cpu: number): Promise<SourceCpu> {
  const path = join(dir, rawFile(cpu));
  let dataBytes = 0;
  for (const part of keptFiles(path)) {
    const file = await openInput(part);
    dataBytes += (await file.stat()).size;
    await file.close();
  }
  return { cpu, dataBytes, blocks: (blockBytes) => blocksOfFiles(path, blockBytes) };
}

/** Reads the files of a CPU; a capped recording has two, split between pages. */
async function* blocksOfFiles(path: string, blockBytes?: number): AsyncGenerator<Uint8Array> {
  for (const part of keptFiles(path)) {
    const file = await openInput(part);
    try {
      yield* blocksOf(file, 0, (await file.stat()).size, blockBytes);
    } finally {
      await file.close();
    }
  }
}
