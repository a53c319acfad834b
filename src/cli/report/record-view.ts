import type { RecordProgress } from '../../host/record/contract.ts';
import { counted, humanBytes, humanDuration, table } from './human.ts';
import type { LiveText } from './live-text.ts';

/** Interval between lines if they cannot be redrawn. */
const lineMs = 5000;
/** Maximum number of CPUs to show; if there are more, or the terminal is too small, shows the busiest. */
const rowsMax = 32;

interface Row {
  readonly label: string;
  readonly cpu: number;
  readonly bytesPerSecond: number;
  readonly bytes: number;
  readonly overrun: number;
}

/** Progress of a recording: redrawn in place on a terminal, otherwise a line every few seconds. */
export class RecordView {
  readonly #live: LiveText;
  #saidMs = 0;
  #last: { readonly elapsedMs: number; readonly bytes: ReadonlyMap<string, number> } | undefined;

  constructor(live: LiveText) {
    this.#live = live;
  }

  show(progress: RecordProgress): void {
    const { redraws } = this.#live;
    if (!redraws && progress.elapsedMs - this.#saidMs < lineMs) return;
    this.#saidMs = progress.elapsedMs;
    const rows = this.#rows(progress);
    const summary = summaryOf(progress, rows);
    if (redraws) this.#live.draw([...this.#table(progress, rows), summary]);
    else this.#live.say(summary);
  }

  #rows({ elapsedMs, guests }: RecordProgress): Row[] {
    const last = this.#last;
    const seconds = (elapsedMs - (last?.elapsedMs ?? 0)) / 1000;
    const rows = guests.flatMap(({ label, cpus }) =>
      cpus.map(({ cpu, receivedBytes, overrun }) => {
        const before = last?.bytes.get(`${label} ${cpu}`) ?? 0;
        const bytesPerSecond = seconds > 0 ? (receivedBytes - before) / seconds : 0;
        return { label, cpu, bytesPerSecond, bytes: receivedBytes, overrun };
      }),
    );
    this.#last = {
      elapsedMs,
      bytes: new Map(rows.map(({ label, cpu, bytes }) => [`${label} ${cpu}`, bytes])),
    };
    return rows;
  }

  #table({ guests }: RecordProgress, rows: readonly Row[]): string[] {
    const room = Math.min(rowsMax, this.#live.rows - 4);
    const shown =
      rows.length <= room ? rows : rows.toSorted((a, b) => b.bytes - a.bytes).slice(0, Math.max(0, room));
    const named = guests.length > 1;
    const head = [...(named ? ['guest'] : []), 'CPU', 'rate', 'total', 'lost events'];
    const cells = shown.map((row) => [
      ...(named ? [row.label] : []),
      String(row.cpu),
      `${humanBytes(Math.round(row.bytesPerSecond))}/s`,
      humanBytes(row.bytes),
      String(row.overrun),
    ]);
    const hidden = rows.length - shown.length;
    return [
      ...table(head, cells).trimEnd().split('\n'),
      ...(hidden > 0 ? [`and ${counted(hidden, 'CPU')} more`] : []),
    ];
  }
}

function summaryOf({ elapsedMs, freeBytes }: RecordProgress, rows: readonly Row[]): string {
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return (
    `${humanDuration(elapsedMs)}: ${humanBytes(sum((row) => row.bytes))} at ` +
    `${humanBytes(Math.round(sum((row) => row.bytesPerSecond)))}/s, ${sum((row) => row.overrun)} events lost, ` +
    `${humanBytes(freeBytes)} free on the disk`
  );
}
