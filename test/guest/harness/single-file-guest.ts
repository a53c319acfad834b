import type { Guest } from './guest.ts';
import { bootMachine } from './machine.ts';
import type { BootOptions, Machine } from './machine.ts';
import { singleFileImage } from './image.ts';
import { guestKernel } from './kernel.ts';
import { restoreMachine } from './saved-state.ts';
import type { RestoreOptions } from './saved-state.ts';

/** Boots a guest without Node, which has only the single executable `agent` of this project. The caller closes it. */
export function bootSingleFileGuest(agent: string, options: BootOptions): Promise<Guest> {
  return bootMachine(singleFileMachine(agent, options), options);
}

/** Like `bootSingleFileGuest`, but restored from a saved state. */
export function restoreSingleFileGuest(agent: string, options: RestoreOptions): Promise<Guest> {
  return restoreMachine(singleFileMachine(agent, options), options);
}

function singleFileMachine(
  agent: string,
  { cpus, maxCpus = cpus, kernel = guestKernel() }: BootOptions,
): Machine {
  return {
    kernel,
    image: singleFileImage(kernel, agent),
    appendKernel: [],
    qemuArgs: [],
    memoryMb: 512 + 48 * maxCpus,
  };
}
