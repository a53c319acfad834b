/** Field numbers in Perfetto's message, by the kernel's field names. */
type KnownFields = Readonly<Record<string, number>>;

/** An event with its own message type in Perfetto: its field number in FtraceEvent, and its fields. */
export interface KnownEvent {
  readonly number: number;
  readonly fields: KnownFields;
  /** The fields that are text; all others are integers. */
  readonly texts: readonly string[];
}

const wakeup: KnownFields = { comm: 1, pid: 2, prio: 3, success: 4, target_cpu: 5 };
const power: KnownFields = { state: 1, cpu_id: 2 };
const work: KnownFields = { work: 1, function: 2 };

function known(number: number, fields: KnownFields, ...texts: string[]): KnownEvent {
  return { number, fields, texts };
}

/**
 * The events that the UI and the trace processor interpret: slices of tasks, interrupts, work, CPU states. Numbers are
 * those of Perfetto's ftrace_event.proto.
 *
 * Omitted, although Perfetto has messages for them: `print`, which it parses as Android's atrace and counts as an error
 * otherwise; `sys_enter` and `sys_exit`, whose slices nest ever deeper if one of a pair is lost.
 */
export const knownEvents: ReadonlyMap<string, KnownEvent> = new Map(
  Object.entries({
    'sched:sched_switch': known(
      4,
      {
        prev_comm: 1,
        prev_pid: 2,
        prev_prio: 3,
        prev_state: 4,
        next_comm: 5,
        next_pid: 6,
        next_prio: 7,
      },
      'prev_comm',
      'next_comm',
    ),
    'power:cpu_frequency': known(11, power),
    'power:cpu_idle': known(13, power),
    'sched:sched_wakeup': known(17, wakeup, 'comm'),
    'sched:sched_waking': known(20, wakeup, 'comm'),
    'sched:sched_wakeup_new': known(114, wakeup, 'comm'),
    'irq:softirq_entry': known(24, { vec: 1 }),
    'irq:softirq_exit': known(25, { vec: 1 }),
    'irq:softirq_raise': known(26, { vec: 1 }),
    'irq:irq_handler_entry': known(36, { irq: 1, name: 2 }, 'name'),
    'irq:irq_handler_exit': known(37, { irq: 1, ret: 2 }),
    'workqueue:workqueue_execute_end': known(57, work),
    'workqueue:workqueue_execute_start': known(58, work),
    'task:task_newtask': known(235, { pid: 1, comm: 2, clone_flags: 3, oom_score_adj: 4 }, 'comm'),
    'task:task_rename': known(
      236,
      { pid: 1, oldcomm: 2, newcomm: 3, oom_score_adj: 4 },
      'oldcomm',
      'newcomm',
    ),
    'sched:sched_process_exec': known(237, { filename: 1, pid: 2, old_pid: 3 }, 'filename'),
    'sched:sched_process_exit': known(238, { comm: 1, pid: 2, tgid: 3, prio: 4 }, 'comm'),
    'sched:sched_process_fork': known(
      239,
      { parent_comm: 1, parent_pid: 2, child_comm: 3, child_pid: 4 },
      'parent_comm',
      'child_comm',
    ),
    'sched:sched_process_free': known(240, { comm: 1, pid: 2, prio: 3 }, 'comm'),
    'sched:sched_migrate_task': known(491, { comm: 1, pid: 2, prio: 3, orig_cpu: 4, dest_cpu: 5 }, 'comm'),
  }),
);
