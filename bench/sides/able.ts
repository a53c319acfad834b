import type { Bench } from '../benchmark.ts';
import type { Machine } from '../machine/machine.ts';
import { defaultRing, resetRings } from '../measure/ring.ts';
import { agent } from './agent.ts';
import { cPump, cPumpFirst } from './c-pump.ts';
import { cat } from './cat.ts';
import { defaultOptions, type Side } from './side.ts';
import { traceCmd } from './trace-cmd.ts';

/**
 * The sides that can run here: the floor first, this agent, and other tools. Prints which are skipped and why; the small
 * form skips the other tools.
 */
export async function ableSides(machine: Machine, { extent, say }: Bench): Promise<readonly Side[]> {
  if (extent.small) return [cPump, agent];
  await resetRings(machine, defaultRing);
  try {
    await (await traceCmd.start(machine, defaultOptions)).stop();
  } catch (error) {
    say(`without trace-cmd: ${String(error).trim().split('\n').at(-1)?.trim()}`);
    return [cPump, cPumpFirst, agent, cat];
  }
  return [cPump, cPumpFirst, agent, cat, traceCmd];
}
