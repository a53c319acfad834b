import type { AlignedPiece } from '../../trace/recording/clock-files.ts';
import { counted, signedSeconds } from './human.ts';
import { duration } from './summary-report.ts';

/** How a guest's clock is converted to the host's, in one line. */
export function alignmentText(pieces: readonly AlignedPiece[]): string {
  const [first] = pieces;
  if (first === undefined) return 'host clock unknown';
  const { offsetNs, ratePpm } = first;
  const worst = pieces.reduce((most, { boundNs }) => Math.max(most, boundNs), 0);
  const usual = pieces.reduce((most, { medianBoundNs }) => Math.max(most, medianBoundNs), 0);
  const violations = pieces.reduce((sum, piece) => sum + piece.violations, 0);
  const samples = pieces.reduce((sum, piece) => sum + piece.samples, 0);
  const methods = [...new Set(pieces.flatMap((piece) => piece.methods))].join(' and ');
  const rate = `${ratePpm < 0 ? '-' : '+'}${Math.abs(ratePpm).toFixed(2)} ppm`;
  const jumps = pieces.length > 1 ? `, ${counted(pieces.length - 1, 'jump')}` : '';
  const against = violations > 0 ? `, ${violations} contradict` : '';
  const used = `(${methods}; ${counted(samples, 'sample')}${against}${jumps})`;
  // cycles have no length
  if (methods === 'tsc') return `host TSC ahead by ${offsetNs} cycles, within ${worst} ${used}`;
  return `host clock ahead by ${signedSeconds(offsetNs)}, ${rate}, usually within ${duration(usual)}, at worst ${duration(worst)} ${used}`;
}

/** The same for `--json`. */
export function clockAsJson(pieces: readonly AlignedPiece[]): object {
  return pieces.map(({ guestFrom, guestTo, offsetNs, ...numbers }) => ({
    guestFrom: String(guestFrom),
    guestTo: String(guestTo),
    offsetNs: String(offsetNs),
    ...numbers,
  }));
}
