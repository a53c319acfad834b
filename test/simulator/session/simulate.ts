import { GuestClock } from '../guest-clock.ts';
import { Random } from '../random.ts';
import { type Cause, Causes, isSeenRunning, type VcpuTruth } from './causes.ts';
import { EventQueue } from './event-queue.ts';
import { Guest } from './guest.ts';
import { Host } from './host.ts';
import type { Machine } from './machine.ts';
import type { EventKind, GuestOptions, SessionOptions } from './options.ts';
import { type Gap, TraceWriter } from './trace/trace-writer.ts';
import type { CpuSpan, EndedWait, VcpuSpan } from './truth.ts';

export interface TrueCpu {
  /** `host`, or the guest's name. */
  readonly machine: string;
  readonly cpu: number;
  readonly spans: readonly CpuSpan[];
  /** When its first switch was recorded; undefined: none was. */
  readonly knownFrom: number | undefined;
}

export interface TrueVcpu {
  readonly machine: string;
  readonly cpu: number;
  readonly tid: number;
  readonly comm: string;
  readonly spans: readonly VcpuSpan[];
}

export interface TrueWait extends EndedWait {
  readonly machine: string;
  /** From `due` to `end` without a gap. */
  readonly causes: readonly Cause[];
}

export interface MachineGap extends Gap {
  readonly machine: string;
}

/** What truly happened. All times are nanoseconds of the host's clock. */
export interface Truth {
  readonly from: number;
  readonly to: number;
  readonly hostCpus: readonly TrueCpu[];
  readonly guestCpus: readonly TrueCpu[];
  readonly vcpus: readonly TrueVcpu[];
  /** In the order of their ends; without those that had not ended. */
  readonly waits: readonly TrueWait[];
  /** Where events were lost, and where a switch was not recorded: from the last event before to the first after. */
  readonly lost: readonly MachineGap[];
  readonly missing: readonly MachineGap[];
  /** By how much a guest's event may be wrong after its time was converted to the host's. */
  readonly clocks: readonly { readonly machine: string; readonly boundNs: number }[];
  /** When guests were stopped by QMP. */
  readonly pauses: readonly { readonly machine: string; readonly from: number; readonly to: number }[];
}

export interface SimulatedMachine {
  readonly name: string;
  /** Pages of each CPU. */
  readonly pages: readonly Uint8Array[];
  /** Names by thread id. */
  readonly tasks: ReadonlyMap<number, string>;
}

export interface SimulatedGuest extends SimulatedMachine {
  /** Of its QEMU; the threads of its vCPUs. */
  readonly pid: number;
  readonly tids: readonly number[];
  readonly clock: GuestClock;
  readonly options: GuestOptions;
}

/** The traces of a host and its guests, and the truth. */
export interface SimulatedSession {
  readonly options: SessionOptions;
  readonly host: SimulatedMachine;
  readonly guests: readonly SimulatedGuest[];
  readonly truth: Truth;
  /** Events recorded on all machines. */
  readonly events: number;
  /**
   * The waits as far as recordings that lack kinds of events (`Faults`) can tell: without a timer's events a wait begins
   * when the task was woken; what a handler or an exit took counts as what was below it. A stretch that was taken from a
   * task is then `guest-task` of the task itself where nothing tells that it was.
   */
  readonly knowable: () => readonly TrueWait[];
}

/** Runs a host with guests. The same options give the same session. */
export function simulateSession(options: SessionOptions): SimulatedSession {
  const { seed, durationNs, faults = {} } = options;
  const random = new Random(seed);
  // times are below 2^53 as numbers
  const origin = (): number => 2 ** 40 + random.below(2 ** 30) * 2 ** 16;
  const start = origin();
  const queue = new EventQueue(start);
  const now = (): number => queue.now;
  const writer = (
    cpus: number,
    stamp: () => number,
    loss: number | undefined,
    without: readonly EventKind[] | undefined,
    noSwitchFromIdle: readonly number[] = [],
  ): TraceWriter =>
    new TraceWriter(cpus, stamp, now, random, {
      loss: loss ?? 0,
      lossLength: faults.lossLength ?? 50,
      noSwitchFromIdle: new Set(noSwitchFromIdle),
      without: new Set(without),
    });
  const hostTrace = writer(
    options.host.cpus,
    now,
    faults.hostLoss,
    faults.hostWithout,
    faults.noSwitchFromIdle,
  );
  const host = new Host(options.host, queue, random, hostTrace);
  const guests = options.guests.map((own, index) => {
    const clock = new GuestClock(
      {
        durationNs,
        ratePpm: own.ratePpm,
        wanderPpm: own.wanderPpm,
        faults: own.pauses.map(({ at, ns }) => ({ kind: 'pause', at, ns })),
        hostOrigin: BigInt(start),
        guestOrigin: BigInt(origin()),
      },
      random,
    );
    const first = Number(clock.guestOrigin);
    const stamp = (): number => first + clock.since(queue.now - start);
    const trace = writer(own.vcpus, stamp, faults.guestLoss, faults.guestsWithout);
    const place = {
      host,
      options: own,
      clock,
      pid: 1000 * (index + 1),
      suspendedNs: random.below(2 ** 30) * 1000,
    };
    return new Guest(place, random, trace);
  });
  queue.runUntil(start + durationNs);
  return collect(options, host, guests, start);
}

function collect(
  options: SessionOptions,
  host: Host,
  guests: readonly Guest[],
  from: number,
): SimulatedSession {
  const to = host.queue.now;
  const machines = [host, ...guests];
  for (const { cpus } of machines) for (const { log } of cpus) log.end(to);
  for (const { vcpus } of guests) for (const { log } of vcpus) log.end(to);
  const vcpus = guests.flatMap((guest) =>
    guest.vcpus.map(({ index, tid, comm, log }): VcpuTruth => {
      const guestSpans = guest.cpus[index]!.log.spans;
      return { machine: guest.name, cpu: index, tid, comm, spans: log.spans, guestSpans };
    }),
  );
  const hostCpus = cpusOf(host);
  const hostSpans = hostCpus.map(({ spans }) => spans);
  const waitsOf = (
    causes: Causes,
    hostWithout: readonly EventKind[] = [],
    shown: (wait: EndedWait) => EndedWait = (wait) => wait,
  ): TrueWait[] =>
    guests
      .flatMap(({ name, waits }) => {
        const own = vcpus.filter(({ machine }) => machine === name);
        return [...waits, ...interruptions(own, hostWithout)].map((wait) => ({
          machine: name,
          ...shown(wait),
          causes: causes.of(name, shown(wait)),
        }));
      })
      .sort((a, b) => a.end - b.end);
  const { hostWithout = [], guestsWithout = [] } = options.faults ?? {};
  const knowable = (): TrueWait[] =>
    waitsOf(
      new Causes(hostSpans, vcpus, { host: hostWithout, guests: guestsWithout }),
      hostWithout,
      guestsWithout.includes('hrtimer') ? withoutTimer : undefined,
    );
  const made = machines.map((machine) => ({
    name: machine.name,
    pages: machine.trace.end(),
    tasks: new Map(machine.tasks.map(({ tid, comm }) => [tid, comm])),
  }));
  const gaps = (kind: 'lost' | 'missing'): MachineGap[] =>
    machines.flatMap(({ name, trace }) => trace[kind].map((gap) => ({ machine: name, ...gap })));
  return {
    options,
    host: made[0]!,
    guests: guests.map(({ pid, clock, vcpus }, index) => ({
      ...made[index + 1]!,
      pid,
      tids: vcpus.map(({ tid }) => tid),
      clock,
      options: options.guests[index]!,
    })),
    truth: {
      from,
      to,
      hostCpus,
      guestCpus: guests.flatMap(cpusOf),
      vcpus,
      waits: waitsOf(new Causes(hostSpans, vcpus)),
      clocks: guests.map(({ name }, index) => ({ machine: name, boundNs: boundOf(options.guests[index]!) })),
      lost: gaps('lost'),
      missing: gaps('missing'),
      pauses: guests.flatMap(({ name, clock }) =>
        clock.pauses.map((pause) => ({ machine: name, from: from + pause.from, to: from + pause.to })),
      ),
    },
    knowable,
    events: machines.reduce((sum, { trace }) => sum + trace.events, 0),
  };
}

/** When a task was current and an interrupt of the guest ran, as far as is recorded of the vCPU. */
function interruptions(vcpus: readonly VcpuTruth[], without: readonly EventKind[]): EndedWait[] {
  const unseen = new Set(without);
  const waits: (EndedWait & { end: number })[] = [];
  for (const { cpu, spans, guestSpans } of vcpus) {
    let at = 0;
    for (const { from, to, tid, comm, irq, softirq } of guestSpans) {
      if (tid === 0 || (irq === undefined && softirq === undefined)) continue;
      while (spans[at]!.to <= from) at++;
      for (let index = at; index < spans.length && spans[index]!.from < to; index++) {
        const span = spans[index]!;
        if (!isSeenRunning(span, unseen)) continue;
        const [begin, end] = [Math.max(from, span.from), Math.min(to, span.to)];
        const last = waits.at(-1);
        if (last?.tid === tid && last.places[0]!.cpu === cpu && last.end === begin) last.end = end;
        else {
          const places = [{ from: begin, cpu }];
          waits.push({ kind: 'interrupted', tid, comm, due: begin, begin, isDue: false, places, end });
        }
      }
    }
  }
  // those at the end of the trace go on
  const ends = new Set(vcpus.map(({ spans }) => spans.at(-1)?.to));
  return waits.filter(({ end }) => !ends.has(end));
}

/** A wait of which nobody knows when it was due. */
function withoutTimer(wait: EndedWait): EndedWait {
  const { begin, places } = wait;
  const since = places.findLastIndex(({ from }) => from <= begin);
  return { ...wait, due: begin, isDue: false, places: places.slice(Math.max(0, since)) };
}

/** Rounding of the guest's time, of the samples, and of the conversion; and what is wrong on purpose. */
export function boundOf({ clockErrorNs }: GuestOptions): number {
  return clockErrorNs + 3;
}

function cpusOf({ name, cpus, trace }: Machine): TrueCpu[] {
  const { firstSwitches } = trace;
  return cpus.map(({ index, log }) => ({
    machine: name,
    cpu: index,
    spans: log.spans,
    knownFrom: firstSwitches[index],
  }));
}
