import { kvmEntryData, kvmExitData, type MadeEvent } from '../unit/analysis/made-trace.ts';
import type { Simulated } from './machine.ts';
import { exits } from './session/exit-reasons.ts';

/** Less than the simulated guest takes to its first event. */
const entryNs = 150;
const exitNs = 50;

/**
 * The host's events with those that KVM has when a vCPU's thread comes to a CPU and leaves it.
 * @param originNs what the host's clock shows when the machine starts
 */
export function withKvmEvents(
  events: readonly MadeEvent[],
  { switches, tids }: Pick<Simulated, 'switches' | 'tids'>,
  originNs: number,
): MadeEvent[] {
  const added = switches.flatMap(({ cpu, time, prev, next }): MadeEvent[] => {
    const ns = originNs + Math.floor(time);
    const [came, left] = [tids.indexOf(next), tids.indexOf(prev)];
    return [
      ...(left < 0
        ? []
        : [{ cpu, ns: ns - exitNs, pid: prev, data: kvmExitData(prev, left, exits.HLT.number) }]),
      ...(came < 0 ? [] : [{ cpu, ns: ns + entryNs, pid: next, data: kvmEntryData(next, came) }]),
    ];
  });
  return [...events, ...added].sort((a, b) => a.ns - b.ns);
}
