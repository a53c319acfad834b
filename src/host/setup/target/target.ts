import type { PreparedGuest } from '../prepare.ts';

/** The result of attaching or detaching, by names of ports; `notes` are for people. */
export interface TargetChanges {
  readonly done: readonly string[];
  readonly already: readonly string[];
  readonly notes: readonly string[];
}

/** A running guest that ports are attached to. */
export interface Target {
  /** CPUs that the guest has or can get, as its manager (QEMU or libvirt) reports. */
  readonly cpus: () => Promise<number>;
  /** Removes chardevs that an interrupted attempt left and no port uses: they keep the guest's files open. */
  readonly dropLeftovers: () => Promise<void>;
  /** Removes the ports of these names, whose files were removed, so that `attach` adds them again. @throws Failure */
  readonly release: (names: readonly string[]) => Promise<TargetChanges>;
  /** Attaches missing ports. @throws Failure */
  readonly attach: (guest: PreparedGuest) => Promise<TargetChanges>;
  /** Detaches the ports, whether setup attached them or QEMU was started with them. @throws Failure */
  readonly detach: () => Promise<TargetChanges>;
  readonly close: () => void;
}
