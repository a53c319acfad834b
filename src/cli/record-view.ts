import type { WriteStream } from 'node:tty';
import type { RecordProgress } from '../host/record/recorder.ts';
import { humanBytes, humanDuration, table } from './human.ts';

/** Lines are said this far apart where they cannot be redrawn. */
const lineMs = 5000;
/** A CPU each up to here; beyond it, or where the terminal is too low, the busiest. */
const rowsMax = 32;

interface Row {
  readonly label: string;
  readonly cpu: number;
  readonly bytesPerSecond: number;
  readonly bytes: number;
  readonly overrun: number;
}

/** How a recording goes: redrawn in place on a terminal, a line every few seconds elsewhere. */
export class RecordView {
  readonly #out: WriteStream;
  #drawnLines = 0;
  #saidMs = 0;
  #last: { readonly elapsedMs: number; readonly bytes: ReadonlyMap<string, number> } | undefined;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  show(progress: RecordProgress): void {
    const rows = this.#rows(progress);
    const summary = summaryOf(progress, rows);
    if (this.#out.isTTY) {
      this.#redraw([...this.#table(progress, rows), summary]);
    } else if (progress.elapsedMs - this.#saidMs >= lineMs) {
      this.#saidMs = progress.elapsedMs;
      this.#out.write(`${summary}\n`);
    }
  }

  /** Something to say that stays; what is drawn afterwards comes below it. */
  say(text: string): void {
    this.#redraw([]);
    this.#out.write(`${text}\n`);
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
    const room = Math.min(rowsMax, this.#out.rows - 4);
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
    return [...table(head, cells).trimEnd().split('\n'), ...(hidden > 0 ? [`and ${hidden} CPUs more`] : [])];
  }

  #redraw(lines: readonly string[]): void {
    const up = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\x1b[J` : '';
    this.#out.write(`${up}${lines.map((line) => `${line.slice(0, this.#out.columns)}\n`).join('')}`);
    this.#drawnLines = lines.length;
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
