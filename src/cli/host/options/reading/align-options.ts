import type { Given } from '../given.ts';

/** The command line of `trace-host align`. */
export interface AlignCommand {
  /** The host's trace, or those of host and guests. */
  readonly inputs: readonly string[];
  readonly dryRun: boolean;
  readonly json: boolean;
}

export function readAlign(given: Given): AlignCommand {
  return { inputs: given.operands, dryRun: given.flag('dryRun'), json: given.flag('json') };
}
