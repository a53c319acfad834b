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

/** One sentence on the longest wait, and what may help. Never more certain than the data. */
export function verdict({ waits, clocks }: Explanation): string {
  const [wait] = waits;
  const [cause] = wait?.causes ?? [];
  if (wait === undefined || cause === undefined) return '';
  const { machine, task, tid, lengthNs, kind, cpu } = wait;
  const name = `${printable(machine)}: task ${task === '' ? '<...>' : printable(task)}[${tid}]`;
  const did = {
    wakeup: 'waited',
    preempted: 'was preempted for',
    stolen: 'lost',
    interrupted: 'was interrupted for',
  }[kind];
  const whole = `${name} ${did} ${duration(lengthNs)}`;
  const bound = wait.boundNs ?? clocks[machine]?.boundNs ?? null;
  const isInHost = !cause.kind.startsWith('guest-') && cause.kind !== 'unknown';
  if (isInHost && bound !== null && lengthNs < 2 * bound)
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
  return `${said}${doubts.length > 0 ? ` (${doubts.join('; ')})` : ''}\n${help === '' ? '' : `${help}\n`}`;
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
