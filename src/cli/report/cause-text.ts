import type { Cause, Explanation, Wait } from '../../analysis/explain/result.ts';
import { printable } from '../../base/quoted.ts';
import { duration } from './summary-report.ts';

/** Priorities below this one are realtime, as the kernel counts them. */
const normalPrio = 100;

type NamedTask = Pick<Cause, 'task' | 'tid' | 'prio'>;
type WhoAndWhere = Omit<Cause, 'ns'>;

/** `nginx:812 (prio 49)`; the priority only of a realtime task. */
export function taskText({ task, tid, prio }: NamedTask): string {
  if (tid === 0) return 'its idle task';
  if (task === null || tid === null) return 'an unknown task';
  const name = task === '' ? '<...>' : printable(task);
  return `${name}:${tid}${isRealtime(prio) ? ` (prio ${prio})` : ''}`;
}

function isRealtime(prio: number | null): boolean {
  return prio !== null && prio >= 0 && prio < normalPrio;
}

/**
 * What took the time, in a few words.
 * @param guest from which it was taken
 */
export function causeText(cause: WhoAndWhere, guest: string): string {
  return `${plainText(cause, guest)}${cause.inferred ? ' (inferred)' : ''}`;
}

function plainText(cause: WhoAndWhere, guest: string): string {
  const { kind, cpu, tid } = cause;
  const on = cpu === null ? '' : ` on host CPU ${cpu}`;
  const hostCpu = cpu === null ? 'the host CPU' : `host CPU ${cpu}`;
  switch (kind) {
    case 'guest-task':
      return `behind ${taskText(cause)} in the guest`;
    case 'guest-irq':
      return `guest irq ${numbered(cause)}`;
    case 'guest-softirq':
      return `guest softirq ${numbered(cause)}`;
    case 'guest-kernel':
      return "the guest's kernel, until it switched";
    case 'preempted':
      return tid === 0
        ? `vCPU not allowed to run, and ${hostCpu} idle`
        : `vCPU preempted by host task ${taskText(cause)}${on}`;
    case 'woken-behind':
      return tid === 0
        ? `vCPU woken, until ${hostCpu} left idle`
        : `vCPU woken, behind host task ${taskText(cause)}${on}`;
    case 'other-vcpu':
      return `behind ${vcpuText(cause, guest, 'this')}, which ran ${taskText(cause)}${on}`;
    case 'asleep':
      return 'vCPU asleep, and not woken yet';
    case 'hypervisor':
      return `in the hypervisor, exit ${numbered(cause)}`;
    case 'host-irq':
      return `host irq ${numbered(cause)}${on}`;
    case 'host-softirq':
      return `host softirq ${numbered(cause)}${on}`;
    case 'paused':
      return 'guest paused';
    case 'unknown':
      return `unknown: ${printable(cause.name ?? '')}`;
    default:
      return kind satisfies never;
  }
}

/** @param same `this` or `the same` guest */
function vcpuText(
  { machine, number }: Pick<Cause, 'machine' | 'number'>,
  guest: string,
  same: string,
): string {
  return `vCPU ${number ?? '?'} of ${machine === guest ? `${same} guest` : `guest ${printable(machine)}`}`;
}

function numbered({ number, name }: Pick<Cause, 'number' | 'name'>): string {
  if (name === null || name === '') return String(number ?? '');
  return number === null ? printable(name) : `${number} ${printable(name)}`;
}

/**
 * One sentence on the longest wait, and what may help. If more waits of that task are known, one on all of them. Never more
 * certain than the data.
 */
export function verdict(explanation: Explanation): string {
  const [wait] = explanation.waits;
  const [cause] = wait?.causes ?? [];
  if (wait === undefined || cause === undefined) return '';
  const longest = ofLongest(wait, cause, explanation);
  const most = mostOf(explanation, wait);
  if (most === undefined) return longest;
  const { count, lengthNs, worst, ns, causedCount, isInferred } = most;
  const { machine } = wait;
  const doubts = [
    ...(explanation.clocks[machine]?.method === 'none' ? ['as the guest saw it'] : []),
    ...(isInferred ? ['partly inferred'] : []),
  ];
  const all =
    `${nameOf(wait)} in all its ${count} waits above: ${duration(lengthNs)}; ${duration(ns)} because of ` +
    `${doer(worst, machine)}, in ${causedCount} of them${doubted(doubts)}`;
  const help = remedy(worst, machine);
  // in all waits something else may have taken most
  const more = help === '' || longest.endsWith(`${help}\n`) ? '' : `${help}\n`;
  return `${longest}${all}\n${more}`;
}

interface MostCausing {
  /** Number of the waits, and their sum. */
  readonly count: number;
  readonly lengthNs: number;
  /** Who took most of it, in the wait in which it took most. */
  readonly worst: Cause;
  /** What it took, and in how many of the waits. */
  readonly ns: number;
  readonly causedCount: number;
  readonly isInferred: boolean;
}

/** Who took most of all known waits of a task; undefined if there is one wait only, or nothing is certain. */
function mostOf({ waits, clocks }: Explanation, { machine, tid }: Wait): MostCausing | undefined {
  const own = waits.filter((wait) => wait.machine === machine && wait.tid === tid);
  if (own.length < 2) return undefined;
  const sums = new Map<
    string,
    { worst: Cause; ns: number; isInferred: boolean; readonly waits: Set<Wait> }
  >();
  for (const wait of own)
    for (const cause of wait.causes) {
      if (isInHost(cause) && isTooShort(wait, boundOf(wait, clocks))) continue;
      const key = doer(cause, machine);
      const sum = sums.get(key) ?? { worst: cause, ns: 0, isInferred: false, waits: new Set() };
      sum.ns += cause.ns;
      sum.isInferred ||= cause.inferred;
      if (cause.ns > sum.worst.ns) sum.worst = cause;
      sums.set(key, sum);
      sum.waits.add(wait);
    }
  const [most] = [...sums.values()].sort((a, b) => b.ns - a.ns);
  if (most === undefined) return undefined;
  const lengthNs = own.reduce((sum, wait) => sum + wait.lengthNs, 0);
  const { waits: caused, ...sum } = most;
  return { ...sum, count: own.length, lengthNs, causedCount: caused.size };
}

/** Who or what causes waits, wherever and however it does. */
function doer(cause: Cause, guest: string): string {
  const { kind, tid, machine } = cause;
  switch (kind) {
    case 'preempted':
    case 'woken-behind':
      if (tid !== 0) return `host task ${bracketed(cause)}`;
      return kind === 'preempted'
        ? 'a limit of its vCPU, with the host CPU idle'
        : "the host CPU's way out of idle";
    case 'other-vcpu':
      return `task ${bracketed(cause)} of ${machine === guest ? 'the same guest, on another vCPU' : `guest ${printable(machine)}`}`;
    case 'guest-task':
      return `task ${bracketed(cause)} of the same guest`;
    case 'asleep':
      return 'its vCPU, which slept';
    case 'hypervisor':
      return `the hypervisor (exit ${numbered(cause)})`;
    case 'host-irq':
    case 'host-softirq':
      return `the host's ${kind.slice('host-'.length)} ${numbered(cause)}`;
    case 'guest-irq':
    case 'guest-softirq':
      return `the guest's ${kind.slice('guest-'.length)} ${numbered(cause)}`;
    case 'guest-kernel':
      return "the guest's kernel, until it switched";
    case 'paused':
      return 'pauses of the guest';
    case 'unknown':
      return 'something unknown';
    default:
      return kind satisfies never;
  }
}

function nameOf({ machine, task, tid }: Pick<Wait, 'machine' | 'task' | 'tid'>): string {
  return `${printable(machine)}: task ${task === '' ? '<...>' : printable(task)}[${tid}]`;
}

function isInHost({ kind }: Cause): boolean {
  return !kind.startsWith('guest-') && kind !== 'unknown';
}

/** The error of the guest's times at the wait; null if unknown. */
function boundOf(wait: Wait, clocks: Explanation['clocks']): number | null {
  return wait.boundNs ?? clocks[wait.machine]?.boundNs ?? null;
}

/** Whether a wait is too short to blame anything outside the guest. */
function isTooShort({ lengthNs }: Wait, bound: number | null): boolean {
  return bound !== null && lengthNs < 2 * bound;
}

function ofLongest(wait: Wait, cause: Cause, { clocks }: Explanation): string {
  const { machine, lengthNs, kind, cpu } = wait;
  const name = nameOf(wait);
  const did = {
    wakeup: 'waited',
    preempted: 'was preempted for',
    stolen: 'lost',
    interrupted: 'was interrupted for',
  }[kind];
  const whole = `${name} ${did} ${duration(lengthNs)}`;
  const bound = boundOf(wait, clocks);
  if (bound !== null && isInHost(cause) && isTooShort(wait, bound))
    return `${whole}; that is less than twice the error of its clock (${duration(Math.round(bound))}), so why is uncertain\n`;
  const unknown = wait.causes.find((each) => each.kind === 'unknown');
  const doubts = [
    ...(clocks[machine]?.method === 'none'
      ? ['as the guest saw it; how much of this the host took is unknown']
      : []),
    ...(cause.inferred ? ['a switch of that task was not recorded and is inferred'] : []),
    ...(unknown !== undefined && unknown !== cause
      ? [`${((unknown.ns / lengthNs) * 100).toFixed(1)} % of the wait is unknown`]
      : []),
  ];
  const said = `${whole}; ${duration(cause.ns)} because ${because(cause, wait, cpu)}`;
  const help = remedy(cause, machine);
  return `${said}${doubted(doubts)}\n${help === '' ? '' : `${help}\n`}`;
}

function doubted(doubts: readonly string[]): string {
  return doubts.length > 0 ? ` (${doubts.join('; ')})` : '';
}

function bracketed({ task, tid, prio }: NamedTask): string {
  if (task === null || tid === null) return 'an unknown task';
  return `${task === '' ? '<...>' : printable(task)}[${tid}]${isRealtime(prio) ? ` (prio ${prio})` : ''}`;
}

function because(cause: Cause, { kind, machine }: Wait, guestCpu: number): string {
  const where = `CPU ${cause.cpu ?? '?'}, where its vCPU ${guestCpu}`;
  switch (cause.kind) {
    case 'preempted':
      return cause.tid === 0
        ? `its vCPU ${guestCpu} was not allowed to run, though host CPU ${cause.cpu ?? '?'} was idle`
        : `host task ${bracketed(cause)} held ${where} runs`;
    case 'woken-behind':
      return cause.tid === 0
        ? `host CPU ${cause.cpu ?? '?'} took so long to leave idle for its vCPU ${guestCpu}`
        : `host task ${bracketed(cause)} held ${where} was to run`;
    case 'other-vcpu':
      return `${vcpuText(cause, machine, 'the same')}, running ${bracketed(cause)}, held ${where} was to run`;
    case 'guest-task':
      return `task ${bracketed(cause)} of the same guest held its CPU ${guestCpu}`;
    case 'asleep':
      return kind === 'stolen'
        ? `its vCPU ${guestCpu} slept, e.g. in QEMU`
        : `its vCPU ${guestCpu} slept, and the host did not wake it earlier`;
    case 'hypervisor':
      return `its vCPU ${guestCpu} was in the hypervisor (exit ${numbered(cause)})`;
    case 'host-irq':
    case 'host-softirq':
      return `the host's ${cause.kind.slice('host-'.length)} ${numbered(cause)} held ${where} runs`;
    case 'guest-irq':
    case 'guest-softirq':
      return `the guest's ${cause.kind.slice('guest-'.length)} ${numbered(cause)} held its CPU ${guestCpu}`;
    case 'guest-kernel':
      return "the guest's kernel took so long to switch to it";
    case 'paused':
      return 'the guest was paused';
    case 'unknown':
      return `of something unknown: ${printable(cause.name ?? '')}`;
    default:
      return cause.kind satisfies never;
  }
}

/** What may help; empty if nothing general does. */
function remedy({ kind, tid, prio, number, machine }: Cause, guest: string): string {
  switch (kind) {
    case 'preempted':
    case 'woken-behind':
      if (tid === 0)
        return kind === 'preempted'
          ? 'may help: a larger CPU quota for the guest (cpu.max of its cgroup)'
          : 'may help: shallower idle states of the host (cpupower idle-set), or idle=poll';
      return isRealtime(prio)
        ? 'may help: that task on other CPUs (taskset, cpuset), as its realtime priority beats any vCPU without one'
        : "may help: CPUs of their own for the guest's vCPUs (taskset, cpuset), or a larger cpu.weight";
    case 'other-vcpu':
      return `may help: the vCPUs of this guest${machine === guest ? '' : ` and of ${printable(machine)}`} on different CPUs (taskset, cpuset)`;
    case 'guest-task':
      return isRealtime(prio)
        ? 'may help, in the guest: that task on another CPU, or without its realtime priority'
        : 'may help, in the guest: another CPU, or a higher priority (nice, chrt) for the task that waits';
    case 'hypervisor':
      return 'may help: fewer such exits; trace-host report -F kvm_exit shows from where';
    case 'host-irq':
      // without a number it is no device's, but e.g. the timer's of that CPU
      return number === null
        ? ''
        : `may help: that interrupt on another CPU (/proc/irq/${number}/smp_affinity)`;
    case 'host-softirq':
      return "may help: the host's interrupts on other CPUs than the vCPUs'";
    case 'guest-irq':
      return number === null
        ? ''
        : `may help, in the guest: that interrupt on another CPU (/proc/irq/${number}/smp_affinity)`;
    case 'unknown':
      return 'may help: a recording of what is missing';
    case 'guest-softirq':
    case 'guest-kernel':
    case 'asleep':
    case 'paused':
      return '';
    default:
      return kind satisfies never;
  }
}
