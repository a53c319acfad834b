import type { Machine, MachineKind } from './machine/machine.ts';
import type { Table } from './report/table.ts';

/** Duration, repetitions and load of a benchmark. */
export interface Extent {
  /** A quick run that only checks that everything works. */
  readonly small: boolean;
  /** Number of runs of each side. */
  readonly rounds: number;
  /** Duration of the load in one measurement. */
  readonly seconds: number;
  /** MB/s on each CPU; undefined: as fast as possible. */
  readonly rates: readonly (number | undefined)[];
}

/** Where a benchmark runs. */
export interface Bench {
  readonly kind: MachineKind;
  readonly extent: Extent;
  /** A machine with this number of traced CPUs; closes the previous machine if it differs. Callers must not close it. */
  readonly open: (cpus: number) => Promise<Machine>;
  /** Prints a line of progress. */
  readonly say: (text: string) => void;
}

export interface Benchmark {
  readonly name: string;
  readonly on: readonly MachineKind[];
  run(bench: Bench): Promise<Table>;
}

/** Default number of traced CPUs. */
export const usualCpus = 2;
