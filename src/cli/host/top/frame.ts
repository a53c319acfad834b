import type { MachineNowFrame } from '../../../analysis/now/result.ts';
import type { RecordedMachine } from '../../../host/record/contract.ts';
import type { TopCpu, TopFrame, TopMachine } from './top-text.ts';
import type { CountAnswer } from './messages.ts';

/** Puts frames together from what was counted and what the agents report. */
export class Frames {
  readonly #ringBytes: (machine: number) => number | undefined;
  #count = 0;
  #events: number[] = [];
  #received: number[] = [];

  /** @param ringBytes size of each of a machine's rings; undefined if unknown */
  constructor(ringBytes: (machine: number) => number | undefined) {
    this.#ringBytes = ringBytes;
  }

  /** Rates of the next frame count from now on. */
  begin(machines: readonly RecordedMachine[]): void {
    this.#received = machines.map(receivedBytes);
  }

  next(machines: readonly RecordedMachine[], answer: CountAnswer, spanMs: number): TopFrame {
    const host = machines.findIndex((machine) => machine.host);
    const stolen = host < 0 ? undefined : answer[host]?.figures?.stolen;
    return {
      frame: ++this.#count,
      at: new Date().toISOString(),
      spanMs: Math.round(spanMs),
      machines: machines.map((machine, index) =>
        this.#machine(machine, index, answer[index], spanMs, stolen),
      ),
    };
  }

  #machine(
    machine: RecordedMachine,
    index: number,
    counted: CountAnswer[number] | undefined,
    spanMs: number,
    stolen: MachineNowFrame['stolen'] | undefined,
  ): TopMachine {
    const { status, before, host } = machine;
    const { figures, skippedBytes = 0, why } = counted ?? {};
    const events = figures?.events ?? 0;
    const allEvents = (this.#events[index] ?? 0) + events;
    this.#events[index] = allEvents;
    const received = receivedBytes(machine);
    const bytes = received - (this.#received[index] ?? 0);
    this.#received[index] = received;
    const own = host ? [] : (stolen ?? []).filter(({ guest }) => guest === machine.guest);
    const perSecond = (count: number): number => Math.round((count * 1000) / Math.max(1, spanMs));
    const lostOf = (cpu: number): number =>
      (status?.cpus[cpu]?.bytesLost ?? 0) - (before?.cpus[cpu]?.bytesLost ?? 0);
    const known = new Map(figures?.cpus.map((cpu) => [cpu.cpu, cpu]));
    const hasSteal = !host && figures !== undefined && stolen !== undefined;
    const ringBytes = this.#ringBytes(index);
    const cpus = machine.cpus.map(({ cpu, overrun }): TopCpu => {
      const ring = status?.cpus[cpu]?.ring?.bytes;
      const taken = own.filter(({ guestCpu }) => guestCpu === cpu).reduce((sum, { share }) => sum + share, 0);
      return {
        ...(known.get(cpu) ?? { cpu, busyShare: null, irqShare: null, topTask: null }),
        stealShare: hasSteal ? Math.min(1, taken) : null,
        ringFill: ring === undefined || ringBytes === undefined ? null : Math.min(1, ring / ringBytes),
        lostBytes: lostOf(cpu),
        overrun,
      };
    });
    return {
      name: host ? null : (machine.guest ?? null),
      host,
      state: machine.isRunning ? 'tracing' : 'gone',
      agentVersion: status?.version ?? null,
      events: allEvents,
      eventsPerSecond: perSecond(events),
      bytesPerSecond: perSecond(bytes),
      lostBytes: cpus.reduce((sum, cpu) => sum + cpu.lostBytes, 0),
      overrun: cpus.reduce((sum, cpu) => sum + cpu.overrun, 0),
      restarts: Object.entries(status?.cpus ?? {}).reduce(
        (sum, [cpu, { restarts }]) => sum + restarts - (before?.cpus[cpu]?.restarts ?? 0),
        0,
      ),
      skippedBytes,
      cpus,
      tasks: figures?.tasks ?? [],
      steal: own.map(({ byComm, byPid, share, guestCpu }) => ({ byComm, byPid, share, guestCpu })),
      wakeups: figures?.wakeups ?? null,
      missing: figures?.missing ?? [],
      why: why ?? null,
    };
  }
}

function receivedBytes({ cpus }: RecordedMachine): number {
  return cpus.reduce((sum, cpu) => sum + cpu.receivedBytes, 0);
}
