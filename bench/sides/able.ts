import type { Bench } from '../benchmark.ts';
import type { Machine } from '../machine/machine.ts';
import { defaultRing, resetRings } from '../measure/ring.ts';
import { agent } from './agent.ts';
import { cPump, cPumpFirst } from './c-pump.ts';
import { cat } from './cat.ts';
import { defaultOptions, type Side } from './side.ts';
import { traceCmd } from './trace-cmd.ts';

/**
 * The floor, this agent, and what others would use where that runs here; the floor first. Says what is left out and why;
 * the small form leaves the others out.
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
