import { kind, kindOf } from '../explain/scene/causes.ts';
import type { CauseTaker, CpuWatcher, Scene } from '../explain/scene/scene.ts';
import type { Cpu } from '../explain/scene/state.ts';
import { RowLevels } from './levels.ts';
import { Names, type SavedName } from './names.ts';
import { slice } from './slice-kinds.ts';

/** Changes of a vCPU's host CPU that are kept until the causes of that time are certain. */
const mostPlaces = 1 << 16;
/** Used entries that are removed at once. */
const usedPlaces = 1 << 10;

/** On which host CPU a vCPU runs, from when on. */
class Places {
  #at: number[] = [];
  #cpus: number[] = [];
  #first = 0;

  push(time: number, cpu: number): void {
    if (this.#cpus.at(-1) === cpu) return;
    if (this.#at.length - this.#first >= mostPlaces) this.#first++;
    this.#at.push(time);
    this.#cpus.push(cpu);
  }

  /** Times must not decrease. Undefined if unknown. */
  cpuAt(time: number): number | undefined {
    while (this.#first + 1 < this.#at.length && this.#at[this.#first + 1]! <= time) this.#first++;
    if (this.#first >= usedPlaces) {
      this.#at = this.#at.slice(this.#first);
      this.#cpus = this.#cpus.slice(this.#first);
      this.#first = 0;
    }
    return this.#cpus[this.#first];
  }
}

/** A row while it is written. */
export interface WrittenRow {
  readonly cpu: Cpu;
  readonly kind: 'cpu' | 'vcpu';
  readonly levels: RowLevels;
}

/** Writes what a scene's CPUs do into rows: one for each CPU, and one for what the host does with a guest's CPU. */
export class Rows {
  readonly #rows: WrittenRow[] = [];
  readonly #cpus = new Map<Cpu, RowLevels>();
  readonly #vcpus = new Map<Cpu, RowLevels>();
  readonly #places = new Map<Cpu, Places>();
  readonly #widths: readonly number[];
  readonly #take: (chunk: Uint8Array) => number;
  readonly #onHost: number[] = [];
  #scene: Scene | undefined;
  #names: Names | undefined;
  #idle = 0;
  #lost = 0;

  /** @param take writes a chunk, and returns its offset */
  constructor(widths: readonly number[], take: (chunk: Uint8Array) => number) {
    this.#widths = widths;
    this.#take = take;
  }

  /** Call before the scene calls `watch` and `takeCause`. */
  begin(scene: Scene, savedName: SavedName): void {
    this.#scene = scene;
    this.#names = new Names(scene.entities, savedName);
    this.#idle = this.#names.text('idle');
    this.#lost = this.#names.text('events were lost');
  }

  get strings(): readonly string[] {
    return this.#names?.strings ?? [];
  }

  readonly watch: CpuWatcher = (cpu) => {
    const { now, entities } = this.#scene!;
    const names = this.#names!;
    let row = this.#cpus.get(cpu);
    if (row === undefined) this.#cpus.set(cpu, (row = this.#add(cpu, 'cpu')));
    const { current, interrupts } = cpu;
    if (current?.vcpu !== undefined) this.#placesOf(current.vcpu.guestCpu).push(now, cpu.number);
    if (cpu.isLosing) return row.change(now, slice.lost, this.#lost);
    const { running } = interrupts;
    if (running > 0)
      return row.change(now, running === 1 ? slice.irq : slice.softirq, names.of(interrupts.entity));
    if (current === undefined) return row.change(now, -1, 0);
    if (current.tid === 0) return row.change(now, slice.idle, this.#idle);
    row.change(now, slice.running, names.of(current.entity(entities)));
  };

  readonly takeCause: CauseTaker = (cpu, code, entity, from) => {
    let row = this.#vcpus.get(cpu);
    if (row === undefined) this.#vcpus.set(cpu, (row = this.#add(cpu, 'vcpu')));
    const names = this.#names!;
    const place = this.#placesOf(cpu).cpuAt(from);
    switch (kindOf(code)) {
      case kind.unknown:
        return row.change(from, slice.lost, names.of(entity));
      case kind.paused:
        return row.change(from, slice.paused, 0);
      case kind.preempted:
        return row.change(from, slice.preempted, names.of(entity));
      case kind['woken-behind']:
        return row.change(from, slice.waking, names.of(entity));
      case kind['other-vcpu']:
        return row.change(from, slice.preempted, names.ofVcpu(entity));
      case kind.asleep:
        return row.change(from, slice.halted, 0);
      case kind['host-irq']:
        return row.change(from, slice.irq, names.of(entity));
      case kind['host-softirq']:
        return row.change(from, slice.softirq, names.of(entity));
      case kind.hypervisor:
        return row.change(from, slice.hypervisor, names.of(entity));
      default:
        row.change(from, slice.running, this.#onHostCpu(place));
    }
  };

  /**
   * Ends all rows and gives them out: the host's first, then guest by guest, CPU by CPU.
   * @param endOf when the events of a machine end; a vCPU's row ends with the host's events, too
   */
  end(order: readonly string[], endOf: (machine: string) => number): readonly WrittenRow[] {
    const hostEnd = endOf('host');
    for (const { cpu, kind, levels } of this.#rows) {
      const end = endOf(cpu.machine.name);
      levels.end(kind === 'vcpu' ? Math.min(end, hostEnd) : end);
    }
    const rank = ({ cpu, kind }: WrittenRow): number[] => [
      cpu.machine.isHost ? -1 : order.indexOf(cpu.machine.name),
      cpu.number,
      kind === 'cpu' ? 0 : 1,
    ];
    return this.#rows.toSorted((a, b) => {
      const [x, y] = [rank(a), rank(b)];
      return x[0]! - y[0]! || x[1]! - y[1]! || x[2]! - y[2]!;
    });
  }

  #add(cpu: Cpu, kind: 'cpu' | 'vcpu'): RowLevels {
    const levels = new RowLevels(this.#widths, this.#take);
    this.#rows.push({ cpu, kind, levels });
    return levels;
  }

  #placesOf(guestCpu: Cpu): Places {
    let places = this.#places.get(guestCpu);
    if (places === undefined) this.#places.set(guestCpu, (places = new Places()));
    return places;
  }

  #onHostCpu(cpu: number | undefined): number {
    if (cpu === undefined) return 0;
    return (this.#onHost[cpu] ??= this.#names!.text(`on host CPU ${cpu}`));
  }
}
