import type { Trace } from '../../trace/open.ts';
import { type Task, tasksOf } from '../tasks.ts';
import { ProtoWriter } from './proto-writer.ts';

/** All packets are of one sequence. */
const sequenceId = 1;
/** Tasks in one packet, so that none grows without bound. */
const packetTasks = 1000;

/** A TracePacket, from its content without the sequence, as it stands in the file. */
export function packetOf(content: ProtoWriter): Uint8Array {
  content.number(10, sequenceId);
  const whole = new ProtoWriter();
  whole.block(1, content.view());
  return whole.view();
}

/** What comes before the events: the guest's kernel, then its tasks. */
export function* firstPackets({ source, uname }: Trace): Generator<Uint8Array> {
  const system = systemPacket(uname);
  if (system !== undefined) yield system;
  // the reader knows the idle task
  const tasks = tasksOf(source).filter(({ tid }) => tid !== 0);
  for (let at = 0; at < tasks.length; at += packetTasks) yield tasksPacket(tasks.slice(at, at + packetTasks));
}

/** `uname -a`; undefined if it is not one. */
function systemPacket(uname: string): Uint8Array | undefined {
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
  return packetOf(packet);
}

/** A thread without a known process becomes a process of its own: the reader takes no threads without one. */
function tasksPacket(tasks: readonly Task[]): Uint8Array {
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
  return packetOf(packet);
}

/** Counts of one CPU's ring. */
export interface RingCounts {
  readonly overrun: bigint;
  readonly readEvents: bigint;
}

/**
 * What comes after the events: the rings' statistics at the end of the trace. From the kernel where the trace has them;
 * otherwise the events that were counted while exporting.
 */
export function statsPacket(
  cpuStats: ReadonlyMap<number, string>,
  counted: ReadonlyMap<number, RingCounts>,
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
  return packetOf(packet);
}
