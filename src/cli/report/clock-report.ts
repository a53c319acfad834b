import { type ClockPiece, type ClockQuality, qualityOf } from '../../trace/dat/clock-quality.ts';
import { counted, signedSeconds } from './human.ts';
import { duration } from './summary-report.ts';

/** How a guest's clock is converted to the host's, in one line. */
export function alignmentText(pieces: readonly ClockPiece[]): string {
  const [first] = pieces;
  if (first === undefined) return 'host clock unknown';
  const { offsetNs, ratePpm } = first;
  const jumps = pieces.length - 1;
  const quality = qualityOf(pieces);
  if (isTsc(quality.methods)) return `host TSC ahead by ${offsetNs} cycles, ${qualityText(quality)}`;
  return `host clock ahead by ${signedSeconds(offsetNs)}, ${rateText(ratePpm)}, ${qualityText(quality, jumps)}`;
}

function isTsc(methods: readonly string[]): boolean {
  return methods.length === 1 && methods[0] === 'tsc';
}

export function rateText(ppm: number): string {
  return `${ppm < 0 ? '-' : '+'}${Math.abs(ppm).toFixed(2)} ppm`;
}

/** How well the relation of two clocks is known, and by what. */
export function qualityText(
  { boundNs, medianBoundNs, methods, samples, violations }: ClockQuality,
  jumps = 0,
): string {
  const jumped = jumps > 0 ? `, ${counted(jumps, 'jump')}` : '';
  const against = violations > 0 ? `; ${counted(violations, 'observation')} against it` : '';
  const how = `${methods.join(' and ')}; ${counted(samples, 'sample')}${against}${jumped}`;
  // cycles have no length
  if (isTsc(methods)) return `within ${boundNs} (${how})`;
  return `usually within ${duration(medianBoundNs)}, at worst ${duration(boundNs)} (${how})`;
}

/** The same for `--json`. */
export function clockAsJson(pieces: readonly ClockPiece[]): object {
  return pieces.map(({ guestFrom, guestTo, offsetNs, ...numbers }) => ({
    guestFrom: String(guestFrom),
    guestTo: String(guestTo),
    offsetNs: String(offsetNs),
    ...numbers,
  }));
}
