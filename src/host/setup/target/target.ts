import type { PreparedGuest } from '../prepare.ts';

/** What attaching or detaching did, by names of ports; `notes` are for people. */
export interface TargetChanges {
  readonly done: readonly string[];
  readonly already: readonly string[];
  readonly notes: readonly string[];
}

/** A running guest that ports are attached to. */
export interface Target {
  /** CPUs that the guest has or can get, as far as its keeper says. */
  readonly cpus: () => Promise<number>;
  /** Takes away what an attempt that ended half-way has left and no port uses, for it holds the guest's files open. */
  readonly dropLeftovers: () => Promise<void>;
  /** Takes out ports of these names, whose files were removed, so that `attach` gives them anew. @throws Failure */
  readonly release: (names: readonly string[]) => Promise<TargetChanges>;
  /** Attaches the ports that are not there yet. @throws Failure */
  readonly attach: (guest: PreparedGuest) => Promise<TargetChanges>;
  /** Detaches the ports, whether setup attached them or QEMU was started with them. @throws Failure */
  readonly detach: () => Promise<TargetChanges>;
  readonly close: () => void;
}
