import type { Cause } from '../data/types.ts';
import { shown } from './text.ts';

/** What a cause is, in words. */
export function causeText(
  cause: Pick<Cause, 'kind' | 'machine' | 'task' | 'tid' | 'number' | 'name'>,
): string {
  const { kind, machine, number, name } = cause;
  const task = taskText(cause);
  const named = [number, name].filter((part) => part !== null && part !== '').join(' ');
  switch (kind) {
    case 'guest-task':
      return `behind task ${task}`;
    case 'guest-irq':
      return `interrupt ${named}`;
    case 'guest-softirq':
      return `softirq ${named}`;
    case 'guest-kernel':
      return 'the kernel, until it switched';
    case 'preempted':
      return `vCPU preempted by host task ${task}`;
    case 'woken-behind':
      return `vCPU woken, behind host task ${task}`;
    case 'other-vcpu':
      return `behind vCPU ${number} of ${shown(machine)}${task === '' ? '' : `, which ran ${task}`}`;
    case 'asleep':
      return 'vCPU halted, not woken yet';
    case 'hypervisor':
      return `in the hypervisor: ${named}`;
    case 'host-irq':
      return `host interrupt ${named}`;
    case 'host-softirq':
      return `host softirq ${named}`;
    case 'paused':
      return 'guest paused';
    default:
      return `unknown: ${name ?? ''}`;
  }
}

function taskText({ task, tid }: Pick<Cause, 'task' | 'tid'>): string {
  if (tid === null) return '';
  return tid === 0 ? 'idle (throttled)' : `${shown(task ?? '?')}:${tid}`;
}

/** Class of the colour and pattern of a cause: as in the timeline. */
export function causeClass(kind: string): string {
  return `cause cause-${kind.replaceAll(/[^a-z-]/g, '')}`;
}
