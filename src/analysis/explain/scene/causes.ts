import { maxCpus } from '../../../base/cpu-list.ts';
import type { Entities } from './entities.ts';
import { type Cause, type CauseKind, causeKinds } from '../result.ts';
import type { Cpu, Vcpu } from './state.ts';

/** The kind of a cause as a number: its index in `causeKinds`. */
export const kind: Readonly<Record<CauseKind, number>> = {
  unknown: 0,
  paused: 1,
  preempted: 2,
  'woken-behind': 3,
  'other-vcpu': 4,
  asleep: 5,
  'host-irq': 6,
  'host-softirq': 7,
  hypervisor: 8,
  'guest-irq': 9,
  'guest-softirq': 10,
  'guest-task': 11,
  'guest-kernel': 12,
};

const kindUnit = 16;
const inferredUnit = 2 * kindUnit;

/** A cause in one number: its kind, whether it is inferred, and its CPU (-1 for none). */
export function causeCode(kind: number, cpu: number, isInferred: boolean): number {
  return kind + (isInferred ? kindUnit : 0) + (cpu + 1) * inferredUnit;
}

export function kindOf(code: number): number {
  return code % kindUnit;
}

export function isInferred(code: number): boolean {
  return code % inferredUnit >= kindUnit;
}

export function cpuOf(code: number): number {
  return Math.floor(code / inferredUnit) - 1;
}

/** Whether the vCPU is kept from running, as far as is known. */
export function isOff(kind_: number): boolean {
  return kind_ >= kind.paused && kind_ <= kind.hypervisor;
}

/** Whether an interrupt of the guest has its CPU. */
export function isInterrupt(kind_: number): boolean {
  return kind_ === kind['guest-irq'] || kind_ === kind['guest-softirq'];
}

/** Whether somebody took the vCPU's time, which it would have used. */
export function isTheft(kind_: number): boolean {
  return isOff(kind_) && kind_ !== kind.asleep;
}

/** What the code and the entity of a cause say. */
export function namedCause(code: number, entity: number, entities: Entities): Omit<Cause, 'ns'> {
  const cpu = cpuOf(code);
  return {
    kind: causeKinds[kindOf(code)]!,
    ...entities.at(entity),
    cpu: cpu < 0 ? null : cpu,
    inferred: isInferred(code),
  };
}

/** Why nothing is known. */
type Why = 'notYet' | 'lost' | 'notHost' | 'missed' | 'noWaking';

/** Finds what holds a guest's CPU at present. */
export class Causes {
  /** The entity of the last cause found. */
  entity = 0;
  /** The entities that say why a cause is unknown. */
  readonly why: Readonly<Record<Why, number>>;
  readonly #entities: Entities;
  readonly #vcpus = new Map<number, number>();

  constructor(entities: Entities) {
    this.#entities = entities;
    const why = (name: string): number => entities.add('host', { name });
    this.why = {
      notYet: why('before the first event that says it'),
      lost: why('events were lost'),
      notHost: why('the host was not traced'),
      missed: why('a switch was not recorded'),
      noWaking: why('the wake-up was not recorded'),
    };
  }

  /** The code of the cause at present; its entity is then in `entity`. */
  of(cpu: Cpu): number {
    const { vcpu, machine } = cpu;
    if (cpu.isLosing) return this.#unknown(this.why.lost);
    if (vcpu !== undefined) {
      const code = this.#hostCauseOf(vcpu);
      if (code >= 0) return code;
    }
    const { running } = cpu.interrupts;
    if (running > 0) {
      this.entity = cpu.interrupts.entity;
      return causeCode(running === 1 ? kind['guest-irq'] : kind['guest-softirq'], cpu.number, false);
    }
    if (cpu.current === undefined) return this.#unknown(this.why.notYet);
    if (cpu.current.tid !== 0) {
      this.entity = cpu.current.entity(this.#entities);
      return causeCode(kind['guest-task'], cpu.number, cpu.isInferred);
    }
    // idle: whether the vCPU ran at all, only the host knows
    if (vcpu === undefined) return this.#unknown(this.why.notHost);
    this.entity = machine.nobody;
    return causeCode(kind['guest-kernel'], cpu.number, false);
  }

  /** The cause in the host; -1 if the vCPU runs. */
  #hostCauseOf(vcpu: Vcpu): number {
    const { state, cpu, guestCpu } = vcpu;
    const { machine } = guestCpu;
    if (state === 'unknown') return this.#unknown(vcpu.whyUnknown);
    // whether it was woken, or taken to another CPU, may be in events that are lost
    if (state !== 'on' && vcpu.thread.machine.losing > 0) return this.#unknown(this.why.lost);
    this.entity = machine.nobody;
    if (vcpu.isPaused) return causeCode(kind.paused, -1, false);
    if (state === 'asleep') return causeCode(kind.asleep, -1, false);
    if (state === 'on') {
      const { running } = cpu!.interrupts;
      if (running > 0) {
        this.entity = cpu!.interrupts.entity;
        return causeCode(running === 1 ? kind['host-irq'] : kind['host-softirq'], cpu!.number, false);
      }
      if (vcpu.inHypervisor === undefined && machine.hasKvm) return this.#unknown(vcpu.whyUnknown);
      if (vcpu.inHypervisor !== true) return -1;
      this.entity = vcpu.exitEntity;
      return causeCode(kind.hypervisor, cpu!.number, false);
    }
    const { current, isInferred, number } = cpu!;
    if (current === undefined) return this.#unknown(cpu!.isLosing ? this.why.lost : this.why.notYet);
    const other = current.vcpu?.guestCpu;
    if (other === undefined) {
      this.entity = current.entity(this.#entities);
      return causeCode(state === 'preempted' ? kind.preempted : kind['woken-behind'], number, isInferred);
    }
    this.entity = this.#vcpuEntity(other);
    return causeCode(kind['other-vcpu'], number, isInferred || other.isInferred);
  }

  /** A vCPU that runs, with the task that is current in its guest. */
  #vcpuEntity({ current, machine, number }: Cpu): number {
    const inGuest = current?.entity(this.#entities) ?? machine.nobody;
    const key = inGuest * maxCpus + number;
    let entity = this.#vcpus.get(key);
    if (entity === undefined) {
      entity = this.#entities.add(machine.name, { ...this.#entities.at(inGuest), number });
      if (this.#entities.dropped === 0) this.#vcpus.set(key, entity);
    }
    return entity;
  }

  #unknown(why: number): number {
    this.entity = why;
    return kind.unknown;
  }
}
