import { GuestMachine } from './guest.ts';
import type { Machine, MachineKind } from './machine.ts';
import { NativeMachine } from './native.ts';

/** Keeps one machine at a time: benchmarks that need the same machine share it. */
export class Machines {
  readonly #kind: MachineKind;
  #machine: Machine | undefined;

  constructor(kind: MachineKind) {
    this.#kind = kind;
  }

  /** Returns a machine with this number of traced CPUs, at most those of the host; closes the previous one if it differs. */
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
