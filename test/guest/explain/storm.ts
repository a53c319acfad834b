import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Guest } from '../harness/index.ts';
import { guestKernel } from '../harness/kernel.ts';
import { kernelModule } from '../harness/kernel-module.ts';
import { type Ran, ranOf } from './bursts.ts';

/** What `test/guest/programs/storm.c` does: interrupts a CPU again and again. */
export interface StormOptions {
  readonly cpu: number;
  /** How long each interrupt takes, and the time between two of them. */
  readonly runUs: number;
  readonly everyUs: number;
}

/** A device of a guest that interrupts one of its CPUs. */
export interface Storm {
  /** Number and name of the interrupt. */
  readonly irq: number;
  readonly name: string;
  /** Ends it. @returns when its handler had the CPU by the guest's clock, in the order of time; `period` is the interrupt */
  end(): Promise<Ran[]>;
}

const name = 'storm';
const module = `/tmp/${name}.ko`;
const log = `/proc/${name}`;

/** Plugs the device in, if that is not done yet, and starts the storm. */
export async function stormIn(guest: Guest, { cpu, runUs, everyUs }: StormOptions): Promise<Storm> {
  await plugDevice(guest);
  await guest.writeFile(module, readFileSync(kernelModule(name, guestKernel())));
  await guest.check(['insmod', module, `cpu=${cpu}`, `run_us=${runUs}`, `every_us=${everyUs}`]);
  const irq = Number(/^irq (\d+)$/m.exec(await guest.check(['cat', log]))?.[1]);
  assert.ok(Number.isSafeInteger(irq));
  return {
    irq,
    name,
    end: async () => {
      const said = await guest.check(['cat', log]);
      await guest.check(['rmmod', name]);
      return ranOf(said);
    },
  };
}

/** The device has no saved state, so it cannot be part of a guest that is restored. */
async function plugDevice(guest: Guest): Promise<void> {
  const isThere = 'grep -qx 0x11e8 /sys/bus/pci/devices/*/device';
  if ((await guest.run(isThere)).code === 0) return;
  await guest.qmp('device_add', { driver: 'edu', id: name });
  await guest.check(`until ${isThere}; do sleep 0.05; done`);
}
