import type { Machine, Task } from '../machine/machine.ts';

/** One way to move rings to where the host, or a file, has them. */
export interface Side {
  readonly name: SideName;
  /** Where pages go: the trace ports, or files on the machine. */
  readonly outlet: 'port' | 'file';
  /** Starts it and returns when it moves pages. Throws when it cannot run here. */
  start(machine: Machine, options: SideOptions): Promise<Moving>;
}

export type SideName = 'c-pump' | 'c-pump nice -10' | 'agent' | 'cat' | 'trace-cmd';

export interface SideOptions {
  readonly pipeBytes: number;
}

export const defaultOptions: SideOptions = { pipeBytes: 512 << 10 };

/** A side at work. */
export interface Moving {
  /** Its processes; whatever these start belongs to it. */
  readonly tasks: readonly Task[];
  /** Bytes in its files so far; 0 where the outlet is the ports. */
  fileBytes(): Promise<number>;
  /** Ends it; what it flushes at its end is flushed. */
  stop(): Promise<void>;
}

export const noFile = (): Promise<number> => Promise.resolve(0);
