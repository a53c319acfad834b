import type { MachineNowFrame } from '../../../analysis/now/result.ts';

/** A machine to count: its recording, and its name in the host's recording. */
export interface CountedMachine {
  readonly dir: string;
  readonly host: boolean;
}

/** To the counting process: the machines, once; then a request for each frame. */
export type CountRequest =
  | { readonly kind: 'machines'; readonly machines: readonly CountedMachine[] }
  | { readonly kind: 'frame' };

/** Of one machine; `figures` is undefined if its recording could not be read, and `why` says the reason. */
export interface CountedFrame {
  readonly figures: MachineNowFrame | undefined;
  readonly skippedBytes: number;
  readonly why: string | undefined;
}

/** The answer to a request for a frame, in the order of the machines. */
export type CountAnswer = readonly CountedFrame[];
