import type { Machine, Task } from '../machine/machine.ts';

/** One way to move rings to the host or into files. */
export interface Side {
  readonly name: SideName;
  /** Where pages go: the trace ports, or files on the machine. */
  readonly outlet: 'port' | 'file';
  /** Whether its end resets the kernel's counts of the rings. */
  readonly resetsCounts?: boolean;
  /** Starts it; resolves when it moves pages. Throws if it cannot run here. */
  start(machine: Machine, options: SideOptions): Promise<Moving>;
}

export type SideName =
  | 'c-pump'
  | 'c-pump nice -10'
  | 'agent'
  | 'cat'
  | 'trace-cmd'
  | 'c-pump to files'
  | 'c-pump to files, nice -10'
  | 'record --host';

export interface SideOptions {
  readonly pipeBytes: number;
}

export const defaultOptions: SideOptions = { pipeBytes: 512 << 10 };

/** A running side. */
export interface Moving {
  /** Its processes; their descendants belong to it too. */
  readonly tasks: readonly Task[];
  /** Bytes in its files up to now; 0 if the outlet is the ports. */
  fileBytes(): Promise<number>;
  /** Ends it, including the flush that it does at its end. */
  stop(): Promise<void>;
}

export const noFile = (): Promise<number> => Promise.resolve(0);
