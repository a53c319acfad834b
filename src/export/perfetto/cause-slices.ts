import type { Cause, Stretch, VcpuStretch, Wait } from '../../analysis/explain/result.ts';
import type { Slice } from './track-writer.ts';

type NamedCause = Omit<Cause, 'ns'>;

/** The slice of a cause. Names are short, as slices are narrow; all that is known is in the annotations. */
export function causeSlice(cause: Stretch | VcpuStretch): Slice {
  const { kind, machine, task, tid, prio, number, name, cpu, inferred } = cause;
  return {
    name: causeName(cause),
    category: kind,
    annotations: { kind, machine, task, tid, prio, number, name, cpu, inferred },
  };
}

const waitNames: Readonly<Record<Wait['kind'], string>> = {
  wakeup: 'waits for a CPU',
  preempted: 'preempted',
  stolen: 'lost its CPU',
  interrupted: 'interrupted',
};

/** @param rank 1 for the longest wait */
export function waitSlice(wait: Wait, rank: number): Slice {
  const { machine, task, tid, prio, cpu, kind, isDue, isOver } = wait;
  return {
    name: waitNames[kind],
    category: 'wait',
    annotations: { rank, kind, machine, task, tid, prio, cpu, isDue, isOver },
  };
}

/** The slice of a thief, while it makes a task wait. */
export function thiefSlice(cause: Stretch, wait: Wait): Slice {
  const { kind, machine, task, tid, number, cpu, inferred } = cause;
  return {
    name: `delays ${wait.machine} ${taskName(wait)}`,
    category: kind,
    annotations: {
      kind,
      machine,
      task,
      tid,
      number,
      cpu,
      inferred,
      'delayed machine': wait.machine,
      'delayed task': wait.task,
      'delayed tid': wait.tid,
    },
  };
}

/** Who takes the time, without the machine; undefined if it is nobody who could be named. */
export function thiefName(cause: NamedCause): string | undefined {
  switch (cause.kind) {
    case 'other-vcpu':
      return `vCPU ${cause.number ?? '?'}`;
    case 'preempted':
    case 'woken-behind':
    case 'guest-task':
      return cause.tid === null || cause.tid === 0 ? undefined : taskName(cause);
    case 'host-irq':
    case 'guest-irq':
      return `irq ${numbered(cause)}`;
    case 'host-softirq':
    case 'guest-softirq':
      return `softirq ${numbered(cause)}`;
    case 'hypervisor':
      return `hypervisor, exit ${numbered(cause)}`;
    case 'guest-kernel':
    case 'asleep':
    case 'paused':
    case 'unknown':
      return undefined;
    default:
      return cause.kind satisfies never;
  }
}

function causeName(cause: NamedCause): string {
  const { kind, machine, tid, name } = cause;
  switch (kind) {
    case 'preempted':
      return tid === 0 ? 'not allowed to run' : `preempted by ${taskName(cause)}`;
    case 'woken-behind':
      return tid === 0 ? 'woken, CPU leaves idle' : `woken, behind ${taskName(cause)}`;
    case 'other-vcpu':
      return `behind vCPU ${cause.number ?? '?'} of ${machine}, ${taskName(cause)}`;
    case 'guest-task':
      return `behind ${taskName(cause)}`;
    case 'host-irq':
    case 'host-softirq':
    case 'guest-irq':
    case 'guest-softirq':
      return `${kind.replace('-', ' ')} ${numbered(cause)}`;
    case 'hypervisor':
      return `hypervisor, exit ${numbered(cause)}`;
    case 'guest-kernel':
      return 'guest kernel';
    case 'asleep':
      return 'asleep';
    case 'paused':
      return 'guest paused';
    case 'unknown':
      return `unknown: ${name ?? ''}`;
    default:
      return kind satisfies never;
  }
}

/** `nginx:812`. */
export function taskName({ task, tid }: Pick<NamedCause, 'task' | 'tid'>): string {
  if (tid === 0) return 'idle task';
  if (task === null || tid === null) return 'unknown task';
  return `${task === '' ? '<...>' : task}:${tid}`;
}

function numbered({ number, name }: NamedCause): string {
  return [number, name].filter((part) => part !== null && part !== '').join(' ');
}
