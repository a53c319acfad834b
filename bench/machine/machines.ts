import { GuestMachine } from './guest.ts';
import type { Machine, MachineKind } from './machine.ts';
import { NativeMachine } from './native.ts';

/** One machine at a time: benchmarks that want the same one share it. */
export class Machines {
  readonly #kind: MachineKind;
  #machine: Machine | undefined;

  constructor(kind: MachineKind) {
    this.#kind = kind;
  }

  /** Opens a machine with so many traced CPUs, or as many as this one has; closes the one before unless it is such. */
  async open(cpus: number): Promise<Machine> {
    if (this.#machine?.cpus.length === cpus) return this.#machine;
    await this.close();
    this.#machine = this.#kind === 'native' ? new NativeMachine(cpus) : await GuestMachine.boot(cpus);
    return this.#machine;
  }

  async close(): Promise<void> {
    const machine = this.#machine;
    this.#machine = undefined;
    await machine?.close();
  }
}
