import { bootMachine } from './guest.ts';
import type { BootOptions, Guest } from './guest.ts';
import { singleFileImage } from './image.ts';
import { guestKernel } from './kernel.ts';

/** Boots a guest that has no Node: of us it has the single executable `trace-agent` alone. `close` it at the end. */
export function bootSingleFileGuest(options: BootOptions): Promise<Guest> {
  const kernel = guestKernel();
  const memoryMb = 512 + 48 * (options.maxCpus ?? options.cpus);
  return bootMachine(
    { kernel, image: singleFileImage(kernel), appendKernel: [], qemuArgs: [], memoryMb },
    options,
  );
}
