import type { Machine, MachineKind } from './machine/machine.ts';
import type { Table } from './report/table.ts';

/** How long, how often and under what. */
export interface Extent {
  /** The form that shows that all of it works and measures little. */
  readonly small: boolean;
  /** How often each side has its turn. */
  readonly rounds: number;
  /** Of load in one measure. */
  readonly seconds: number;
  /** MB/s on each CPU; undefined: flat out. */
  readonly rates: readonly (number | undefined)[];
}

/** Where a benchmark runs. */
export interface Bench {
  readonly kind: MachineKind;
  readonly extent: Extent;
  /** A machine with so many CPUs traced; the one before is closed when it was another. Never to be closed by its user. */
  readonly open: (cpus: number) => Promise<Machine>;
  /** One line for who waits. */
  readonly say: (text: string) => void;
}

export interface Benchmark {
  readonly name: string;
  readonly on: readonly MachineKind[];
  run(bench: Bench): Promise<Table>;
}

/** CPUs that are traced where a benchmark does not say otherwise. */
export const usualCpus = 2;
