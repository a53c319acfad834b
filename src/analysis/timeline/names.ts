import type { Entities, Entity } from '../explain/scene/entities.ts';

/** Names beyond this number are one. */
const mostNames = 1 << 16;
const longestName = 64;

/** Name of a task by the list that its machine's file has; undefined if there is none. */
export type SavedName = (machine: string, tid: number) => string | undefined;

/** The texts of a timeline. */
export class Names {
  readonly strings: string[] = [''];
  readonly #byText = new Map<string, number>([['', 0]]);
  readonly #ofTask: number[] = [];
  readonly #ofVcpu: number[] = [];
  readonly #entities: Entities;

  readonly #savedName: SavedName;

  constructor(entities: Entities, savedName: SavedName) {
    this.#entities = entities;
    this.#savedName = savedName;
  }

  /** Name of a task, an interrupt, an exit reason, or why nothing is known. */
  of(entity: number): number {
    return (this.#ofTask[entity] ??= this.text(this.#textOf(this.#entities.at(entity))));
  }

  /** Name of a vCPU, with the task that runs in its guest. */
  ofVcpu(entity: number): number {
    return (this.#ofVcpu[entity] ??= this.text(this.#vcpuText(this.#entities.at(entity))));
  }

  text(text: string): number {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    if (this.strings.length >= mostNames) return this.#others();
    const index = this.strings.push(cut(text)) - 1;
    this.#byText.set(text, index);
    return index;
  }

  #textOf(entity: Entity): string {
    const { tid, number, name } = entity;
    if (tid !== null) return tid === 0 ? 'idle' : this.#taskText(entity, tid);
    return [number, name].filter((part) => part !== null && part !== '').join(' ');
  }

  #vcpuText(entity: Entity): string {
    const { machine, tid, number } = entity;
    const vcpu = `${machine} vCPU ${number}`;
    return tid === null ? vcpu : `${vcpu}: ${tid === 0 ? 'idle' : this.#taskText(entity, tid)}`;
  }

  /** A task that no event has named yet may be in the list. */
  #taskText({ machine, task }: Entity, tid: number): string {
    const named = task === null || task === '' ? this.#savedName(machine, tid) : task;
    return `${named ?? '<...>'}:${tid}`;
  }

  #others(): number {
    const others = 'others, beyond the limit';
    const index = this.#byText.get(others) ?? this.strings.push(others) - 1;
    this.#byText.set(others, index);
    return index;
  }
}

function cut(text: string): string {
  return text.length > longestName ? `${text.slice(0, longestName - 1)}…` : text;
}
