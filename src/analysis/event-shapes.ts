import type { EventFormat } from '../trace/format/event-format.ts';
import type { Field } from '../trace/format/field.ts';
import { softirqNames } from '../trace/format/softirq-names.ts';

/** Size of a task's name: 16 bytes in every kernel. Names are compared as four words. */
export const nameBytes = 16;

/** Offsets of an event's fields, determined once per type, so that reading an event needs no lookup. */
export type EventShape =
  | {
      readonly kind: 'switch';
      /** A record must have at least this many bytes. */
      readonly needBytes: number;
      readonly prevPid: number;
      readonly prevState: number;
      readonly nextPid: number;
      /** Offset of the task's name; undefined if that field is not an array of 16 bytes. */
      readonly prevName: number | undefined;
      readonly nextName: number | undefined;
    }
  | {
      /** `waking`: sched_waking, where the wait begins. `wakeup`: sched_wakeup(_new), when the task is queued. */
      readonly kind: 'waking' | 'wakeup';
      readonly needBytes: number;
      readonly pid: number;
      readonly name: number | undefined;
    }
  | {
      readonly kind: 'irq-entry';
      readonly needBytes: number;
      readonly number: number;
      /** The field `name`; undefined if the format has no such text field. */
      readonly nameField: Field | undefined;
    }
  | {
      readonly kind: 'irq-exit' | 'softirq-entry' | 'softirq-exit';
      readonly needBytes: number;
      readonly number: number;
    };

/** Finds the fields that a summary needs; undefined for other events, or if the format has unexpected fields. */
export function shapeOf(format: EventFormat): EventShape | undefined {
  switch (format.fullName) {
    case 'sched:sched_switch': {
      const prevPid = integerAt(format, 'prev_pid');
      const prevState = integerAt(format, 'prev_state');
      const nextPid = integerAt(format, 'next_pid');
      if (prevPid === undefined || prevState === undefined || nextPid === undefined) return undefined;
      const prevName = nameAt(format, 'prev_comm');
      const nextName = nameAt(format, 'next_comm');
      const needBytes = endOf([prevPid, prevState, nextPid], [prevName, nextName]);
      return { kind: 'switch', needBytes, prevPid, prevState, nextPid, prevName, nextName };
    }
    case 'sched:sched_waking':
    case 'sched:sched_wakeup':
    case 'sched:sched_wakeup_new': {
      const pid = integerAt(format, 'pid');
      if (pid === undefined) return undefined;
      const name = nameAt(format, 'comm');
      const kind = format.name === 'sched_waking' ? 'waking' : 'wakeup';
      return { kind, needBytes: endOf([pid], [name]), pid, name };
    }
    case 'irq:irq_handler_entry': {
      const number = integerAt(format, 'irq');
      const nameField = format.fields.find(({ name, content }) => name === 'name' && content === 'text');
      return number === undefined
        ? undefined
        : { kind: 'irq-entry', needBytes: number + 4, number, nameField };
    }
    case 'irq:irq_handler_exit':
      return numbered(format, 'irq-exit', 'irq');
    case 'irq:softirq_entry':
      return numbered(format, 'softirq-entry', 'vec');
    case 'irq:softirq_exit':
      return numbered(format, 'softirq-exit', 'vec');
    default:
      return undefined;
  }
}

function numbered(
  format: EventFormat,
  kind: 'irq-exit' | 'softirq-entry' | 'softirq-exit',
  field: string,
): EventShape | undefined {
  const number = integerAt(format, field);
  return number === undefined ? undefined : { kind, needBytes: number + 4, number };
}

/** Offset of an integer field's low 32 bits; undefined if the field is not an integer. */
export function integerAt({ fields }: EventFormat, name: string): number | undefined {
  const field = fields.find((each) => each.name === name);
  return field?.content === 'integer' && field.bytes >= 4 ? field.offset : undefined;
}

/** Offset of a task's name; undefined if the field is not an array of 16 bytes. */
export function nameAt({ fields }: EventFormat, name: string): number | undefined {
  const field = fields.find((each) => each.name === name);
  return field?.content === 'text' && field.place === 'inline' && field.bytes === nameBytes
    ? field.offset
    : undefined;
}

/** The number of bytes that a record needs for fields at these offsets. */
export function endOf(integers: readonly number[], names: readonly (number | undefined)[]): number {
  return Math.max(...integers.map((at) => at + 4), ...names.map((at) => (at ?? 0) + nameBytes));
}

/** Names of softirq vectors, as the print format of `softirq_entry` gives them. */
export function vectorNames(format: EventFormat | undefined): ReadonlyMap<number, string> {
  const declared = [...(format?.printFormat ?? '').matchAll(/\{ *(\d{1,9}), *"(\w{1,32})" *\}/g)].map(
    ([, vector, name]) => [Number(vector), name ?? ''] as const,
  );
  return new Map(declared.length > 0 ? declared : softirqNames.entries());
}

/**
 * Whether a task was still runnable when switched out: its state is 0, or has only the bit that the kernel sets for a
 * preempted task (0x100, TASK_REPORT_MAX; before Linux 4.14 a higher bit, TASK_STATE_MAX).
 */
export function wasPreempted(state: number): boolean {
  return (state & 0xff) === 0 && (state & (state - 1)) === 0;
}
