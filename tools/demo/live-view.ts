import type { WriteStream } from 'node:tty';

const barWidth = 40;

/** Shows the bytes that have arrived per CPU: redrawn in place on a terminal, otherwise one line per second. */
export class LiveView {
  readonly #out: WriteStream;
  readonly #inPlace: boolean;
  #drawn = 0;
  #lastSecond = 0;

  constructor(out: WriteStream, cpus: number) {
    this.#out = out;
    this.#inPlace = out.isTTY && cpus + 1 < out.rows && out.columns >= barWidth + 40;
  }

  /** @param bytes arrived up to now, by CPU */
  show(elapsedMs: number, bytes: readonly number[]): void {
    if (this.#inPlace) this.#redraw(elapsedMs, bytes);
    else this.#line(elapsedMs, bytes);
  }

  #redraw(elapsedMs: number, bytes: readonly number[]): void {
    const most = Math.max(1, ...bytes);
    const lines = bytes.map((count, cpu) => {
      const bar = '█'.repeat(Math.round((count / most) * barWidth)).padEnd(barWidth, '░');
      return `  CPU ${String(cpu).padEnd(2)} ${bar} ${rightAligned(count, 11)} bytes`;
    });
    lines.push(`  ${(elapsedMs / 1000).toFixed(1)} s`);
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#out.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`);
    this.#drawn = lines.length;
  }

  #line(elapsedMs: number, bytes: readonly number[]): void {
    const second = Math.floor(elapsedMs / 1000);
    if (second <= this.#lastSecond) return;
    this.#lastSecond = second;
    const counts = bytes.map((count, cpu) => `CPU ${cpu} ${rightAligned(count, 9)}`);
    this.#out.write(`  ${second} s  bytes  ${counts.join('   ')}\n`);
  }
}

/** An integer with thousands separators. */
export function rightAligned(count: number, width: number): string {
  return count.toLocaleString('en').padStart(width);
}
