import { readdirSync, readFileSync } from 'node:fs';
import { maxCpus } from '../../base/cpu-list.ts';
import { Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import { QmpConnection, QmpRefusal } from '../qmp/connection.ts';
import type { Holder } from '../qemu/holders.ts';
import type { QmpMonitor } from '../qmp/monitor.ts';
import { qmpSockets } from '../qemu/run-state.ts';
import { virsh } from '../setup/target/virsh.ts';

/** Thread ids by virtual CPU. */
export type VcpuThreads = ReadonlyMap<number, number>;

type Qemu = Pick<Holder, 'pid' | 'argv'>;

/** How long to wait for QEMU. It answers at once or, while another program is connected, not at all. */
const patienceMs = 1500;
const command = 'query-cpus-fast';

/**
 * Which thread of QEMU runs which virtual CPU. Asks QEMU through a QMP socket of its command line, else looks at the
 * names of QEMU's threads, else asks QEMU through libvirt, which marks the domain as tainted and therefore comes last.
 * Changes nothing else, does not throw.
 * @param monitor asked instead of a new connection if it is connected to this QEMU
 * @returns empty if none of these gives an answer
 */
export async function vcpuThreads(qemu: Qemu, monitor?: QmpMonitor): Promise<VcpuThreads> {
  const tasks = new Set(tasksOf(qemu.pid));
  const isConnected = monitor?.isConnected === true;
  const asked = isConnected
    ? [() => monitor.execute(command)]
    : qmpSockets(qemu.argv).map((path) => () => askQmp(path));
  for (const ask of asked) {
    const threads = threadsIn(await ask(), tasks);
    if (threads.size > 0) return threads;
  }
  const named = namedThreads(qemu.pid, tasks);
  if (named.size > 0) return named;
  const domain = domainOf(qemu.argv);
  return domain === undefined ? named : threadsIn(await askLibvirt(domain), tasks);
}

/** The threads of a process; empty when it has ended. */
export function tasksOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

async function askQmp(socket: string): Promise<unknown> {
  let qmp: QmpConnection | undefined;
  try {
    qmp = await QmpConnection.open(socket, patienceMs);
    return await qmp.execute(command);
  } catch (cause) {
    if (cause instanceof Failure || cause instanceof QmpRefusal) return undefined;
    throw cause;
  } finally {
    qmp?.close();
  }
}

async function askLibvirt(domain: string): Promise<unknown> {
  try {
    const answer: unknown = JSON.parse(
      await virsh('qemu-monitor-command', domain, JSON.stringify({ execute: command })),
    );
    return isObject(answer) ? answer['return'] : undefined;
  } catch (cause) {
    if (cause instanceof Failure || cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/**
 * Reads the answer to query-cpus-fast. Only threads of this QEMU count: in another PID namespace, QEMU reports other
 * thread ids.
 */
export function threadsIn(answer: unknown, tasks: ReadonlySet<number>): VcpuThreads {
  const threads = new Map<number, number>();
  for (const entry of Array.isArray(answer) ? answer.filter(isObject) : []) {
    const { 'cpu-index': vcpu, 'thread-id': tid } = entry;
    if (typeof vcpu !== 'number' || !Number.isInteger(vcpu) || vcpu < 0 || vcpu >= maxCpus) continue;
    if (typeof tid === 'number' && tasks.has(tid)) threads.set(vcpu, tid);
  }
  return threads;
}

/** Finds the threads by their names, which QEMU sets with `-name debug-threads=on`; libvirt uses this option. */
function namedThreads(pid: number, tasks: ReadonlySet<number>): VcpuThreads {
  const threads = new Map<number, number>();
  for (const tid of tasks) {
    const vcpu = vcpuOfName(nameOf(pid, tid));
    if (vcpu !== undefined) threads.set(vcpu, tid);
  }
  return threads;
}

/** The virtual CPU of a thread by its name: `CPU 0/KVM`, `CPU 1/TCG`. */
export function vcpuOfName(name: string): number | undefined {
  const digits = /^CPU (\d{1,4})\/[A-Z]/.exec(name)?.[1];
  return digits === undefined || Number(digits) >= maxCpus ? undefined : Number(digits);
}

function nameOf(pid: number, tid: number): string {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/comm`, 'latin1');
  } catch {
    return '';
  }
}

/** The libvirt domain of a QEMU, by its `-name guest=NAME,…`. */
export function domainOf(argv: readonly string[]): string | undefined {
  const name = argv[argv.indexOf('-name') + 1] ?? '';
  const domain = argv.includes('-name') ? /^guest=([^,]+)/.exec(name)?.[1] : undefined;
  // virsh would take it for an option
  return domain?.startsWith('-') === true ? undefined : domain;
}
