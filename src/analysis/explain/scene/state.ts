import { TaskName } from '../../tasks.ts';
import type { Entities } from './entities.ts';
import { Nesting } from './nesting.ts';
import type { WaitKind } from '../result.ts';
import { Timeline } from './timeline.ts';

/** Tasks of a machine beyond this number are one. */
const mostTasks = 1 << 15;
/** As many as a kernel has. */
const mostPriorities = 140;
const never = -Infinity;

/** A wait that has begun. */
export interface OpenWait {
  readonly kind: WaitKind;
  readonly due: number;
  readonly isDue: boolean;
  /** The CPU of the wait now, and since when. */
  cpu: Cpu;
  since: number;
  /** Whether it was moved to its last CPU, nobody knows when. */
  isLost?: boolean;
  /** The CPUs before, each from its time on. */
  earlier: { readonly cpu: Cpu; readonly from: number; readonly to: number }[] | undefined;
}

/** A task of the host or of a guest. */
export class ExplainedTask extends TaskName {
  readonly machine: MachineState;
  /** -1 for all tasks beyond the limit. */
  readonly tid: number;
  prio: number | null = null;
  /** When and on which CPU it last became runnable. */
  readyAt = never;
  readyCpu = -1;
  /** The CPU on which it is current. */
  onCpu: Cpu | undefined;
  /** When it was woken although it was current. */
  wokenOnCpuAt = never;
  wait: OpenWait | undefined;
  /** The vCPU that this thread of the host runs. */
  vcpu: Vcpu | undefined;
  #entity = -1;
  #entityName = '';
  #entityPrio: number | null = null;
  /** By priority: a task may get another one and its own again. */
  readonly #entities = new Map<number | null, number>();

  constructor(machine: MachineState, tid: number) {
    super();
    this.machine = machine;
    this.tid = tid;
  }

  /** Whether interrupts are its own work: softirqs of `ksoftirqd`, and of threads of interrupts (PREEMPT_RT). */
  get handlesInterrupts(): boolean {
    return /^(?:ksoftirqd|ktimers|irq)\//.test(this.name);
  }

  entity(entities: Entities): number {
    const { tid, prio, name } = this;
    if (this.#entity >= 0 && name === this.#entityName && prio === this.#entityPrio) return this.#entity;
    if (name !== this.#entityName || this.#entities.size > mostPriorities) this.#entities.clear();
    this.#entityName = name;
    this.#entityPrio = prio;
    const known = this.#entities.get(prio);
    const named = tid < 0 ? { name: 'a task beyond the limit' } : { task: name, tid, prio };
    this.#entity = known ?? entities.add(this.machine.name, named);
    this.#entities.set(prio, this.#entity);
    return this.#entity;
  }
}

/** The host, or a guest. */
export class MachineState {
  readonly name: string;
  readonly isHost: boolean;
  readonly cpus: (Cpu | undefined)[] = [];
  /** A guest's vCPUs whose threads are known. */
  readonly vcpus: Vcpu[] = [];
  /** Number of CPUs that are losing events. */
  losing = 0;
  /** When it last lost events. */
  lostAt = never;
  /** Whether KVM's events of its vCPUs are recorded. */
  hasKvm = false;
  tasksDropped = 0;
  /** Entity of causes in this machine that name no task. */
  readonly nobody: number;
  readonly #tasks = new Map<number, ExplainedTask>();
  readonly #others = new ExplainedTask(this, -1);
  #last: ExplainedTask = this.#others;

  constructor(name: string, isHost: boolean, entities: Entities) {
    this.name = name;
    this.isHost = isHost;
    this.nobody = entities.add(name, {});
  }

  task(tid: number): ExplainedTask {
    if (this.#last.tid === tid) return this.#last;
    let task = this.#tasks.get(tid);
    if (task === undefined) {
      if (this.#tasks.size >= mostTasks) {
        this.tasksDropped++;
        return this.#others;
      }
      task = new ExplainedTask(this, tid);
      if (tid === 0) task.name = 'swapper';
      this.#tasks.set(tid, task);
    }
    this.#last = task;
    return task;
  }

  cpu(number: number): Cpu {
    return (this.cpus[number] ??= new Cpu(this, number));
  }

  tasks(): Iterable<ExplainedTask> {
    return this.#tasks.values();
  }
}

/** What the host does with a vCPU's thread. `preempted` and `woken` are queued on `cpu`. */
export type VcpuState = 'unknown' | 'on' | 'preempted' | 'woken' | 'asleep';

export class Vcpu {
  /** The guest's CPU. */
  readonly guestCpu: Cpu;
  readonly thread: ExplainedTask;
  state: VcpuState = 'unknown';
  /** Since when. */
  since = never;
  /** The host's CPU on which it is or waits. */
  cpu: Cpu | undefined;
  /** Between kvm_exit and kvm_entry; undefined if unknown. */
  inHypervisor: boolean | undefined;
  exitEntity = 0;
  /** Entity that says why the state is unknown. */
  whyUnknown: number;
  isPaused = false;
  /** Since when it may have been woken, in events that were lost, although it is `asleep`. */
  doubtSince = Infinity;

  constructor(guestCpu: Cpu, thread: ExplainedTask, whyUnknown: number) {
    this.guestCpu = guestCpu;
    this.thread = thread;
    this.whyUnknown = whyUnknown;
  }
}

/** How time is taken from a task which is current. */
export type TheftKind = 'stolen' | 'interrupted';

/** Time that is taken from a task which is current. Written anew for each theft: there may be one for every event. */
export interface Theft {
  /** Undefined: none. */
  kind: TheftKind | undefined;
  task: ExplainedTask;
  since: number;
  end: number;
}

/** A CPU of the host or of a guest. */
export class Cpu {
  readonly machine: MachineState;
  readonly number: number;
  /** The task that it runs; undefined if unknown. */
  current: ExplainedTask | undefined;
  currentTid = -1;
  /** Whether the switch to it was not recorded. */
  isInferred = false;
  switchedAt = never;
  /** The task that was switched out last. */
  previous: ExplainedTask | undefined;
  /** Time of its last event. */
  lastAt = never;
  /** The task that its next event shows; undefined if that is the current one. */
  expected: ExplainedTask | undefined;
  isLosing = false;
  readonly interrupts = new Nesting();

  /** Of a host's CPU: vCPUs that wait for it. */
  readonly queued: Vcpu[] = [];

  /** Of a guest's CPU. */
  vcpu: Vcpu | undefined;
  /** The cause at present, and since when. */
  code = -1;
  entity = 0;
  since = never;
  readonly timeline: Timeline;
  /** How the time of its current task is being taken. */
  theft: Theft;
  /** The one before, as long as it may go on. */
  endedTheft: Theft;
  /** The last theft: the thief, its kind, from when to when. */
  thief = { entity: -1, kind: -1, from: 0, to: 0 };
  /** When the timers that are being handled were due; NaN if unknown. */
  readonly dueTimers: number[] = [];

  constructor(machine: MachineState, number: number) {
    this.machine = machine;
    this.number = number;
    this.timeline = new Timeline(machine.isHost ? 0 : undefined);
    const noTheft = { kind: undefined, task: machine.task(0), since: never, end: never };
    this.theft = { ...noTheft };
    this.endedTheft = noTheft;
  }
}
