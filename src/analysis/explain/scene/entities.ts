import type { Cause } from '../result.ts';

/** What a cause names: a task, an interrupt, an exit reason, or why nothing is known. */
export type Entity = Pick<Cause, 'machine' | 'task' | 'tid' | 'prio' | 'number' | 'name'>;

/** Entities beyond this number are one: a hostile file can name any number of them. */
const mostEntities = 1 << 17;

const nobody: Entity = { machine: 'host', task: null, tid: null, prio: null, number: null, name: null };

/** All entities, by index. */
export class Entities {
  readonly #list: Entity[] = [nobody, { ...nobody, machine: '', name: 'others, beyond the limit' }];
  readonly #most: number;
  /** How many had to share one entity. */
  dropped = 0;

  constructor(most = mostEntities) {
    this.#most = most;
  }

  add(machine: string, entity: Partial<Entity>): number {
    if (this.#list.length >= this.#most) {
      this.dropped++;
      return 1;
    }
    return this.#list.push({ ...nobody, ...entity, machine }) - 1;
  }

  at(index: number): Entity {
    return this.#list[index]!;
  }
}
