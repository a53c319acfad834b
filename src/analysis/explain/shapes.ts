import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Field } from '../../trace/format/field.ts';
import { endOf, integerAt, nameAt } from '../event-shapes.ts';

/** The events that explain a wait, with the offsets of their fields. */
export type ExplainShape =
  | {
      readonly kind: 'switch';
      /** A record must have at least this many bytes. */
      readonly needBytes: number;
      readonly prevPid: number;
      readonly prevState: number;
      readonly nextPid: number;
      readonly nextPrio: number;
      /** Undefined if the field is not an array of 16 bytes. */
      readonly prevName: number | undefined;
      readonly nextName: number | undefined;
    }
  | {
      /** The CPU is that to which the task goes. */
      readonly kind: 'waking' | 'wakeup' | 'migrate';
      readonly needBytes: number;
      readonly pid: number;
      readonly prio: number;
      readonly cpu: number;
      readonly name: number | undefined;
    }
  | {
      readonly kind: 'irq-entry';
      readonly needBytes: number;
      readonly number: number;
      readonly nameField: Field | undefined;
    }
  | {
      /** An interrupt of x86 that is no device's, such as that of the local timer. */
      readonly kind: 'vector-entry' | 'vector-exit';
      readonly needBytes: number;
      readonly number: number;
      readonly name: string;
    }
  | {
      readonly kind: 'irq-exit' | 'softirq-entry' | 'softirq-exit';
      readonly needBytes: number;
      readonly number: number;
    }
  | {
      readonly kind: 'timer-start' | 'timer-expire';
      readonly needBytes: number;
      readonly timer: number;
      /** `expires`, or `now`. */
      readonly time: number;
    }
  | { readonly kind: 'timer-exit'; readonly needBytes: number }
  | {
      readonly kind: 'kvm-exit';
      readonly needBytes: number;
      readonly reason: number;
      /** Undefined for a kernel without it. */
      readonly isa: number | undefined;
    }
  | { readonly kind: 'kvm-entry'; readonly needBytes: number };

export type ShapeKind = ExplainShape['kind'];

/** Finds the fields; undefined for other events, or if the format has unexpected fields. */
export function explainShapeOf(format: EventFormat): ExplainShape | undefined {
  const at = (field: string): number => integerAt(format, field) ?? Number.NaN;
  const shape = shapeOf(format, at);
  return shape === undefined || Number.isNaN(shape.needBytes) ? undefined : shape;
}

function shapeOf(format: EventFormat, at: (field: string) => number): ExplainShape | undefined {
  if (format.system === 'irq_vectors') {
    const [, name, side] = /^(\w+)_(entry|exit)$/.exec(format.name) ?? [];
    if (name === undefined) return undefined;
    const kind = side === 'entry' ? 'vector-entry' : 'vector-exit';
    return { kind, needBytes: at('vector') + 4, number: at('vector'), name };
  }
  switch (format.fullName) {
    case 'sched:sched_switch': {
      const [prevPid, prevState, nextPid] = [at('prev_pid'), at('prev_state'), at('next_pid')];
      const nextPrio = at('next_prio');
      const [prevName, nextName] = [nameAt(format, 'prev_comm'), nameAt(format, 'next_comm')];
      const needBytes = endOf([prevPid, prevState, nextPid, nextPrio], [prevName, nextName]);
      return { kind: 'switch', needBytes, prevPid, prevState, nextPid, nextPrio, prevName, nextName };
    }
    case 'sched:sched_waking':
      return woken('waking', 'target_cpu');
    case 'sched:sched_wakeup':
    case 'sched:sched_wakeup_new':
      return woken('wakeup', 'target_cpu');
    case 'sched:sched_migrate_task':
      return woken('migrate', 'dest_cpu');
    case 'irq:irq_handler_entry': {
      const number = at('irq');
      const nameField = format.fields.find(({ name, content }) => name === 'name' && content === 'text');
      return { kind: 'irq-entry', needBytes: number + 4, number, nameField };
    }
    case 'irq:irq_handler_exit':
      return { kind: 'irq-exit', needBytes: at('irq') + 4, number: at('irq') };
    case 'irq:softirq_entry':
      return { kind: 'softirq-entry', needBytes: at('vec') + 4, number: at('vec') };
    case 'irq:softirq_exit':
      return { kind: 'softirq-exit', needBytes: at('vec') + 4, number: at('vec') };
    case 'timer:hrtimer_start':
      return timed('timer-start', 'expires');
    case 'timer:hrtimer_expire_entry':
      return timed('timer-expire', 'now');
    case 'timer:hrtimer_expire_exit':
      return { kind: 'timer-exit', needBytes: 0 };
    case 'kvm:kvm_exit': {
      const reason = at('exit_reason');
      const isa = integerAt(format, 'isa');
      return { kind: 'kvm-exit', needBytes: endOf([reason, isa ?? 0], []), reason, isa };
    }
    case 'kvm:kvm_entry':
      return { kind: 'kvm-entry', needBytes: 0 };
    default:
      return undefined;
  }

  function woken(kind: 'waking' | 'wakeup' | 'migrate', target: string): ExplainShape {
    const [pid, prio, cpu] = [at('pid'), at('prio'), at(target)];
    const name = nameAt(format, 'comm');
    return { kind, needBytes: endOf([pid, prio, cpu], [name]), pid, prio, cpu, name };
  }

  function timed(kind: 'timer-start' | 'timer-expire', field: string): ExplainShape {
    const [timer, time] = [at('hrtimer'), at(field)];
    return { kind, needBytes: endOf([timer + 4, time + 4], []), timer, time };
  }
}
