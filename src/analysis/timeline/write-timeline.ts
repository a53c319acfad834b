import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { taskNamesOf } from '../../trace/metadata/task-lines.ts';
import type { Session } from '../../trace/session.ts';
import { originOf, readScene } from '../explain/read-scene.ts';
import { recordedPauses } from '../explain/recorded.ts';
import { Scene } from '../explain/scene/scene.ts';
import { levelWidths } from './levels.ts';
import { Rows } from './rows.ts';
import { sliceKinds } from './slice-kinds.ts';
import {
  chunksName,
  columnsName,
  indexName,
  type TimelineChunks,
  type TimelineIndex,
} from './timeline-index.ts';

const blockBytes = 1 << 20;

export interface TimelineOptions {
  /** Gets the number of events read so far, about every 100 ms. */
  readonly onProgress?: (events: number) => void;
  /** Rejects with its reason when aborted. */
  readonly signal?: AbortSignal;
}

/**
 * Writes what each CPU of a session did into a directory that exists: `index.json`, `chunks.json` and `columns.bin`.
 * Reads all events once, in memory that depends on the number of CPUs and names only. Writes block. Throws Failure as
 * `session.events` does, and what node:fs throws.
 */
export async function writeTimeline(
  session: Session,
  dir: string,
  { onProgress = () => {}, signal }: TimelineOptions = {},
): Promise<TimelineIndex> {
  const origin = originOf(session);
  const ends = endsOf(session, origin);
  const spanNs = Math.max(0, ...ends.values());
  const widths = levelWidths(spanNs);
  const file = new ColumnFile(join(dir, columnsName));
  try {
    const rows = new Rows(widths, (chunk) => file.append(chunk));
    const pauses = recordedPauses(session).map(({ guest, from, to }) => ({
      machine: guest,
      from: Number(from - origin),
      to: Number(to - origin),
    }));
    const none = { worst: 0, overNs: Infinity, from: 0, to: spanNs, isWanted: () => false };
    const scene = new Scene(none, pauses, rows.takeCause, rows.watch);
    const saved = new Map(
      session.machines.map(({ name, trace }) => [name, taskNamesOf(trace.source.taskNames)]),
    );
    rows.begin(scene, (machine, tid) => saved.get(machine)?.get(tid));
    const { events } = await readScene(session, scene, { origin, onProgress, signal });
    for (const _ of scene.lastCauses());
    const order = session.machines.map(({ name }) => name);
    const written = rows.end(order, (machine) => ends.get(machine) ?? spanNs);
    const index: TimelineIndex = {
      version: 1,
      startNs: String(origin),
      spanNs,
      events,
      kinds: sliceKinds,
      levels: widths.map((widthNs) => ({ widthNs })),
      rows: written.map(({ cpu, kind, levels: { levels } }, id) => ({
        id,
        machine: cpu.machine.name,
        host: cpu.machine.isHost,
        kind,
        cpu: cpu.number,
        label: kind === 'cpu' ? `CPU ${cpu.number}` : `vCPU ${cpu.number} on the host`,
        slices: levels.map(({ columns }) => columns.slices),
      })),
      strings: rows.strings,
    };
    const chunks: TimelineChunks = written.map(({ levels: { levels } }) =>
      levels.map(({ columns }) => columns.chunks),
    );
    file.flush();
    writeFileSync(join(dir, chunksName), JSON.stringify(chunks));
    writeFileSync(join(dir, indexName), JSON.stringify(index));
    return index;
  } finally {
    file.close();
  }
}

/** When the events of each machine end, from the origin on. */
function endsOf({ machines }: Session, origin: bigint): Map<string, number> {
  return new Map(
    machines.flatMap(({ name, trace }) => {
      const span = trace.span();
      return span === undefined ? [] : [[name, Number(span.last - origin)]];
    }),
  );
}

/** A file to which chunks are appended. */
class ColumnFile {
  readonly #fd: number;
  readonly #block = new Uint8Array(blockBytes);
  #used = 0;
  #size = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o644);
  }

  /** Returns its offset. */
  append(chunk: Uint8Array): number {
    const offset = this.#size;
    this.#size += chunk.length;
    if (this.#used + chunk.length > blockBytes) this.flush();
    this.#block.set(chunk, this.#used);
    this.#used += chunk.length;
    return offset;
  }

  flush(): void {
    for (let done = 0; done < this.#used; ) done += writeSync(this.#fd, this.#block, done, this.#used - done);
    this.#used = 0;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
