import type { Entities, Entity } from '../explain/scene/entities.ts';

/** Names beyond this number are one. */
const mostNames = 1 << 16;
const longestName = 64;

/** The texts of a timeline. */
export class Names {
  readonly strings: string[] = [''];
  readonly #byText = new Map<string, number>([['', 0]]);
  readonly #ofTask: number[] = [];
  readonly #ofVcpu: number[] = [];
  readonly #entities: Entities;

  constructor(entities: Entities) {
    this.#entities = entities;
  }

  /** Name of a task, an interrupt, an exit reason, or why nothing is known. */
  of(entity: number): number {
    return (this.#ofTask[entity] ??= this.text(textOf(this.#entities.at(entity))));
  }

  /** Name of a vCPU, with the task that runs in its guest. */
  ofVcpu(entity: number): number {
    return (this.#ofVcpu[entity] ??= this.text(vcpuText(this.#entities.at(entity))));
  }

  text(text: string): number {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    if (this.strings.length >= mostNames) return this.#others();
    const index = this.strings.push(cut(text)) - 1;
    this.#byText.set(text, index);
    return index;
  }

  #others(): number {
    const others = 'others, beyond the limit';
    const index = this.#byText.get(others) ?? this.strings.push(others) - 1;
    this.#byText.set(others, index);
    return index;
  }
}

function textOf({ task, tid, number, name }: Entity): string {
  if (tid !== null) return tid === 0 ? 'idle' : taskText(task, tid);
  return [number, name].filter((part) => part !== null && part !== '').join(' ');
}

function vcpuText({ machine, task, tid, number }: Entity): string {
  const vcpu = `${machine} vCPU ${number}`;
  return tid === null ? vcpu : `${vcpu}: ${tid === 0 ? 'idle' : taskText(task, tid)}`;
}

function taskText(task: string | null, tid: number): string {
  return `${task === null || task === '' ? '<...>' : task}:${tid}`;
}

function cut(text: string): string {
  return text.length > longestName ? `${text.slice(0, longestName - 1)}…` : text;
}
