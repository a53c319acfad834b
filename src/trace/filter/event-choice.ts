import { type Candidate, never, type Test } from './candidate.ts';

/** Compiled rules of an EventFilter. */
export interface ChoiceRules {
  /** Event types; undefined for all. */
  readonly ids: ReadonlySet<number> | undefined;
  /** Threads; undefined for all. */
  readonly pids: ReadonlySet<number> | undefined;
  /** Compiled filters; an event must pass at least one. If there are none, all events pass. */
  readonly where: readonly ReadonlyMap<number, Test>[];
  /** Compiled filters; an event must pass none. */
  readonly exclude: readonly ReadonlyMap<number, Test>[];
  /** Types of stack traces: they follow the decision on the event before them if no filter in `where` names them. */
  readonly stackIds: ReadonlySet<number>;
}

/** Decides which events pass. Can be shared by all CPUs, because it only keeps state per event type. */
export class EventChoice {
  readonly #rules: ChoiceRules;
  readonly #tests: (Test | 'all' | 'follow')[] = [];

  constructor(rules: ChoiceRules) {
    this.#rules = rules;
  }

  /** @param before whether the event before this one on the same CPU passed */
  passes(event: Candidate, id: number, before: boolean): boolean {
    const { pids } = this.#rules;
    if (pids !== undefined && !pids.has(event.pid)) return false;
    const test = this.#tests[id] ?? this.#testOf(id);
    if (test === 'all') return true;
    return test === 'follow' ? before : test(event);
  }

  #testOf(id: number): Test | 'all' | 'follow' {
    const test = this.#combined(id);
    this.#tests[id] = test;
    return test;
  }

  #combined(id: number): Test | 'all' | 'follow' {
    const { ids, where, exclude, stackIds } = this.#rules;
    if (ids !== undefined && !ids.has(id)) return never;
    const wanted = where.flatMap((tests) => tests.get(id) ?? []);
    const unwanted = exclude.flatMap((tests) => tests.get(id) ?? []);
    if (where.length > 0 && wanted.length === 0)
      return stackIds.has(id) && unwanted.length === 0 ? 'follow' : never;
    if (wanted.length === 0 && unwanted.length === 0) return 'all';
    const passes = anyOf(wanted);
    if (unwanted.length === 0) return passes;
    const fails = anyOf(unwanted);
    return wanted.length === 0 ? (event) => !fails(event) : (event) => passes(event) && !fails(event);
  }
}

function anyOf(tests: readonly Test[]): Test {
  const [first, ...more] = tests;
  if (first === undefined || more.length === 0) return first ?? never;
  return (event) => tests.some((test) => test(event));
}
