import type { SourceCpu, TraceSource } from './source.ts';

/** How much of a trace's pages was read, for progress displays. */
export interface ReadTally {
  doneBytes: number;
  /** For one pass over all CPUs; 0 if unknown: the size of compressed pages is known only after reading. */
  readonly totalBytes: number;
}

/** The same source, whose blocks are counted as they are read. */
export function withTally(source: TraceSource): { readonly source: TraceSource; readonly tally: ReadTally } {
  const isCompressed = source.format !== undefined && source.format.compression !== 'none';
  const cpus = source.buffers.flatMap((buffer) => buffer.cpus);
  const pageBytes = cpus.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
  const tally: ReadTally = { doneBytes: 0, totalBytes: isCompressed ? 0 : pageBytes };
  const buffers = source.buffers.map((buffer) => ({
    ...buffer,
    cpus: buffer.cpus.map((cpu) => ({ ...cpu, blocks: counted(cpu.blocks, tally) })),
  }));
  return { source: { ...source, buffers }, tally };
}

function counted(blocks: SourceCpu['blocks'], tally: ReadTally): SourceCpu['blocks'] {
  return async function* (...where) {
    for await (const block of blocks(...where)) {
      tally.doneBytes += block.length;
      yield block;
    }
  };
}
