import type { EventFormat } from '../../trace/format/event-format.ts';
import { type EventShape, endOf, integerAt, nameAt, shapeOf } from '../event-shapes.ts';

type Switch = Extract<EventShape, { kind: 'switch' }>;
type Waking = Extract<EventShape, { kind: 'waking' | 'wakeup' }>;

/** The events that explain a wait, with the offsets of their fields. */
export type ExplainShape =
  | Exclude<EventShape, Switch | Waking>
  | (Switch & { readonly nextPrio: number })
  | (Omit<Waking, 'kind'> & {
      /** The CPU is that to which the task goes. */
      readonly kind: 'waking' | 'wakeup' | 'migrate';
      readonly prio: number;
      readonly cpu: number;
    })
  | {
      /** An interrupt of x86 that is no device's, such as that of the local timer. */
      readonly kind: 'vector-entry' | 'vector-exit';
      readonly needBytes: number;
      readonly number: number;
      readonly name: string;
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
  const shape =
    format.system === 'irq_vectors' ? vectorShapeOf(format) : (commonShapeOf(format) ?? ownShapeOf(format));
  return shape === undefined || Number.isNaN(shape.needBytes) ? undefined : shape;
}

/** Of the events that summaries count as well, some have further fields here. */
function commonShapeOf(format: EventFormat): ExplainShape | undefined {
  const shape = shapeOf(format);
  switch (shape?.kind) {
    case 'switch': {
      const nextPrio = offsetOf(format, 'next_prio');
      return { ...shape, needBytes: Math.max(shape.needBytes, nextPrio + 4), nextPrio };
    }
    case 'waking':
    case 'wakeup':
      return placed(format, shape.kind, shape, 'target_cpu');
    default:
      return shape;
  }
}

/** The event says to which CPU a task goes, in the field `target`. */
function placed(
  format: EventFormat,
  kind: 'waking' | 'wakeup' | 'migrate',
  { needBytes, pid, name }: Omit<Waking, 'kind'>,
  target: string,
): ExplainShape {
  const [prio, cpu] = [offsetOf(format, 'prio'), offsetOf(format, target)];
  return { kind, needBytes: Math.max(needBytes, prio + 4, cpu + 4), pid, name, prio, cpu };
}

function vectorShapeOf(format: EventFormat): ExplainShape | undefined {
  const [, name, side] = /^(\w+)_(entry|exit)$/.exec(format.name) ?? [];
  if (name === undefined) return undefined;
  const number = offsetOf(format, 'vector');
  return { kind: side === 'entry' ? 'vector-entry' : 'vector-exit', needBytes: number + 4, number, name };
}

function ownShapeOf(format: EventFormat): ExplainShape | undefined {
  switch (format.fullName) {
    case 'sched:sched_migrate_task': {
      const [pid, name] = [offsetOf(format, 'pid'), nameAt(format, 'comm')];
      return placed(format, 'migrate', { needBytes: endOf([pid], [name]), pid, name }, 'dest_cpu');
    }
    case 'timer:hrtimer_start':
      return timed(format, 'timer-start', 'expires');
    case 'timer:hrtimer_expire_entry':
      return timed(format, 'timer-expire', 'now');
    case 'timer:hrtimer_expire_exit':
      return { kind: 'timer-exit', needBytes: 0 };
    case 'kvm:kvm_exit': {
      const [reason, isa] = [offsetOf(format, 'exit_reason'), integerAt(format, 'isa')];
      return { kind: 'kvm-exit', needBytes: endOf([reason, isa ?? 0], []), reason, isa };
    }
    case 'kvm:kvm_entry':
      return { kind: 'kvm-entry', needBytes: 0 };
    default:
      return undefined;
  }
}

function timed(format: EventFormat, kind: 'timer-start' | 'timer-expire', field: string): ExplainShape {
  const [timer, time] = [offsetOf(format, 'hrtimer'), offsetOf(format, field)];
  return { kind, needBytes: endOf([timer + 4, time + 4], []), timer, time };
}

/** Offset of an integer field; NaN if there is none, and then the shape's `needBytes` is NaN, too. */
function offsetOf(format: EventFormat, field: string): number {
  return integerAt(format, field) ?? Number.NaN;
}
