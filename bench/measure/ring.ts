import { parsePageLayout, parseRingStats, type RingStats } from '../../src/tracefs/ring-files.ts';
import type { Machine } from '../machine/machine.ts';

export interface RingSettings {
  readonly bufferKb: number;
  readonly bufferPercent: number;
}

/** The kernel's default. */
export const defaultRing: RingSettings = { bufferKb: 1408, bufferPercent: 50 };

/** Empties the instance's rings and counters, disables everything except trace_marker, and turns tracing on. */
export async function resetRings(machine: Machine, { bufferKb, bufferPercent }: RingSettings): Promise<void> {
  const at = machine.tracefsDir;
  await machine.shell(
    `cd ${at} && echo 0 > tracing_on && echo nop > current_tracer && echo 0 > events/enable && echo > set_event_pid &&` +
      ` echo ${bufferKb} > buffer_size_kb && echo ${bufferPercent} > buffer_percent && echo > trace && echo 1 > tracing_on`,
  );
}

export async function ringStats(machine: Machine): Promise<RingStats[]> {
  const stats = machine.cpus.map((cpu) => machine.read(`${machine.tracefsDir}/per_cpu/cpu${cpu}/stats`));
  return (await Promise.all(stats)).map(parseRingStats);
}

export async function pageBytesOf(machine: Machine): Promise<number> {
  const { dataOffset, dataBytes } = parsePageLayout(
    await machine.read(`${machine.tracefsDir}/events/header_page`),
  );
  return dataOffset + dataBytes;
}
