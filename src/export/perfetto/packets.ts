import type { TimeSpan, Trace } from '../../trace/open.ts';
import { type Task, tasksOf } from '../tasks.ts';
import { ProtoWriter } from './proto-writer.ts';

/** Sequence id of the first machine's packets. Each further machine has the next id. */
export const firstSequenceId = 1;
/** `BUILTIN_CLOCK_BOOTTIME`. */
const boottime = 6;
/** Maximum number of tasks in one packet. */
const packetTasks = 1000;

/**
 * Encodes a TracePacket for the file; `content` does not have the ids of sequence and machine yet.
 * @param machineId 0 for the first machine, which Perfetto treats as the host
 */
export function packetOf(content: ProtoWriter, machineId: number): Uint8Array {
  content.number(10, firstSequenceId + machineId);
  if (machineId !== 0) content.number(98, machineId);
  const whole = new ProtoWriter();
  whole.block(1, content.view());
  return whole.view();
}

/**
 * The packets before a machine's events: for a guest, that its times are the host's; then the machine's kernel and
 * tasks.
 * @param span times of the machine's first and last event
 */
export function* firstPackets(
  { source, uname }: Trace,
  machineId: number,
  span: TimeSpan | undefined,
): Generator<Uint8Array> {
  // must come before everything that has a timestamp
  if (machineId !== 0) yield clockPacket(machineId, span ?? { first: 0n, last: 0n });
  const system = systemPacket(uname, machineId);
  if (system !== undefined) yield system;
  const tasks = namedTasks(source);
  for (let at = 0; at < tasks.length; at += packetTasks)
    yield tasksPacket(tasks.slice(at, at + packetTasks), machineId);
}

/**
 * The tasks of a machine. Threads that run vCPUs of guests get names that say so: those of all of QEMU's threads are the
 * same. Readers prefer these names to those in events.
 */
function namedTasks(source: Trace['source']): Task[] {
  const vcpus = new Map<number, string>();
  for (const { name, vcpuTids } of source.guests)
    for (const [vcpu, tid] of vcpuTids) vcpus.set(tid, `vCPU ${vcpu} of ${name}`);
  // readers already know the idle task
  const tasks = tasksOf(source).filter(({ tid }) => tid !== 0);
  const named = tasks.map((task) => {
    const vcpu = vcpus.get(task.tid);
    vcpus.delete(task.tid);
    return vcpu === undefined ? task : { ...task, name: `${vcpu} (${task.name})` };
  });
  const others = [...vcpus].map(([tid, name]) => ({ tid, name, tgid: undefined, ppid: undefined }));
  return [...named, ...others];
}

/** States that a guest's times are the host's: the export has converted them. */
function clockPacket(machineId: number, { first, last }: TimeSpan): Uint8Array {
  const packet = new ProtoWriter();
  packet.message(107, (sync) => {
    for (const time of [first, last])
      sync.message(1, (clocks) => {
        for (const side of [2, 3])
          clocks.message(side, (snapshot) => {
            snapshot.message(1, (clock) => {
              clock.number(1, boottime);
              clock.number(2, time);
            });
          });
      });
  });
  return packetOf(packet, machineId);
}

/** The packet with the output of `uname -a`; undefined if it cannot be parsed. */
function systemPacket(uname: string, machineId: number): Uint8Array | undefined {
  const words = /^(?<sysname>\S+) \S+ (?<release>\S+) (?<version>.+) (?<machine>\S+)$/;
  const { sysname, release, version, machine } = words.exec(uname.replace(/ GNU\/Linux$/, ''))?.groups ?? {};
  if (sysname === undefined) return undefined;
  const packet = new ProtoWriter();
  packet.message(45, (info) => {
    info.message(1, (utsname) => {
      utsname.text(1, sysname);
      utsname.text(2, version ?? '');
      utsname.text(3, release ?? '');
      utsname.text(4, machine ?? '');
    });
  });
  return packetOf(packet, machineId);
}

/** A thread whose process is unknown becomes its own process: readers reject threads without a process. */
function tasksPacket(tasks: readonly Task[], machineId: number): Uint8Array {
  const packet = new ProtoWriter();
  packet.message(2, (tree) => {
    for (const { tid, tgid = tid, ppid, name } of tasks) {
      if (tgid !== tid) continue;
      tree.message(1, (process) => {
        process.number(1, tid);
        if (ppid !== undefined) process.number(2, ppid);
        process.text(3, name);
        // cmdline_is_comm
        process.number(9, 1);
      });
    }
    for (const { tid, tgid = tid, name } of tasks) {
      tree.message(2, (thread) => {
        thread.number(1, tid);
        thread.text(2, name);
        thread.number(3, tgid);
      });
    }
  });
  return packetOf(packet, machineId);
}

/** Counts of one CPU's ring. */
export interface RingCounts {
  readonly overrun: bigint;
  readonly readEvents: bigint;
}

/**
 * The packet after the events: the ring buffer statistics at the end of the trace. From the kernel if the trace has
 * them, otherwise counted during the export.
 */
export function statsPacket(
  cpuStats: ReadonlyMap<number, string>,
  counted: ReadonlyMap<number, RingCounts>,
  machineId: number,
): Uint8Array {
  const endOfTrace = 2;
  const packet = new ProtoWriter();
  packet.message(34, (stats) => {
    stats.number(1, endOfTrace);
    for (const cpu of [...new Set([...cpuStats.keys(), ...counted.keys()])].sort((a, b) => a - b)) {
      const text = cpuStats.get(cpu);
      const counts = counted.get(cpu);
      const value = (name: string): bigint => {
        const digits = new RegExp(`^${name}: (\\d{1,19})$`, 'm').exec(text ?? '')?.[1];
        return digits === undefined ? 0n : BigInt(digits);
      };
      stats.message(2, (one) => {
        one.number(1, cpu);
        one.number(2, value('entries'));
        one.number(3, text === undefined ? (counts?.overrun ?? 0n) : value('overrun'));
        one.number(4, value('commit overrun'));
        one.number(8, value('dropped events'));
        one.number(9, text === undefined ? (counts?.readEvents ?? 0n) : value('read events'));
      });
    }
  });
  return packetOf(packet, machineId);
}
