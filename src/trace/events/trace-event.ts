import type { EventCatalogue } from '../format/event-catalogue.ts';
import type { EventFormat } from '../format/event-format.ts';
import type { Field } from '../format/field.ts';
import { type FieldValue, readValue, type RecordData } from '../format/record-data.ts';
import type { CpuEvents, TimeOrigin } from './cpu-events.ts';

/** One event as a plain object that stays valid. Bytes are copied. */
export interface EventObject {
  readonly timestamp: bigint;
  readonly cpu: number;
  readonly pid: number;
  readonly task: string | undefined;
  readonly name: string;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** How the next step of an iteration orders the events. */
export interface EventOrder {
  /** If true, the next event comes from the same CPU, even if another CPU has an earlier one. */
  keepsPlace: boolean;
  /** The origin of `TraceEvent.time`. */
  readonly origin: TimeOrigin;
}

/** Where events come from. */
export interface EventPlace {
  /** Name of the tracing instance; empty for the top level. */
  readonly buffer: string;
  /** Name of the machine in a session; empty if only one is read. */
  readonly machine: string;
  readonly names: EventNames;
}

/** Field and task names of a machine, shared by all its events. */
export class EventNames {
  readonly catalogue: EventCatalogue;
  readonly #fields = new Map<number, ReadonlyMap<string, Field>>();
  readonly #tasks: ReadonlyMap<number, string>;

  constructor(catalogue: EventCatalogue, tasks: ReadonlyMap<number, string>) {
    this.catalogue = catalogue;
    this.#tasks = tasks;
  }

  /** The name of a task; undefined if the guest did not keep it. */
  task(pid: number): string | undefined {
    return pid === 0 ? '<idle>' : this.#tasks.get(pid);
  }

  /** Fields by name of the event with that id; its own fields override common ones. */
  fields(id: number): ReadonlyMap<string, Field> {
    const known = this.#fields.get(id);
    if (known !== undefined) return known;
    const { commonFields = [], fields = [] } = this.catalogue.byId(id) ?? {};
    const byName = new Map([...commonFields, ...fields].map((field) => [field.name, field]));
    this.#fields.set(id, byName);
    return byName;
  }
}

/**
 * The current event. One object serves all events of an iteration: copy out what you need, or keep `toObject()`.
 * Texts come from the guest and may contain control characters.
 */
export class TraceEvent {
  readonly #order: EventOrder;
  #stream: CpuEvents;
  #place: EventPlace;

  /** @internal */
  constructor(order: EventOrder, stream: CpuEvents, place: EventPlace) {
    this.#order = order;
    this.#stream = stream;
    this.#place = place;
  }

  /**
   * Moves to the event at which `stream` stands.
   * @internal
   */
  set(stream: CpuEvents, place: EventPlace): this {
    this.#stream = stream;
    this.#place = place;
    return this;
  }

  /**
   * Makes the next event of the iteration the next one of the same CPU.
   * @internal
   */
  keepPlace(): void {
    this.#order.keepsPlace = true;
  }

  /** Time by the buffer's clock; in nanoseconds if the buffer's `timeUnit` is `'ns'`. */
  get timestamp(): bigint {
    return this.#stream.timestamp;
  }

  /**
   * Whether the event passes the filter; false only in an iteration over all events that marks those that pass.
   * @internal
   */
  get passed(): boolean {
    return this.#stream.passed;
  }

  /**
   * The time after `timeOrigin` as a number, exact below `maxDistance`.
   * @internal
   */
  get time(): number {
    return this.#stream.time;
  }

  /** @internal */
  get timeOrigin(): bigint {
    return this.#order.origin.ns ?? 0n;
  }

  get cpu(): number {
    return this.#stream.cpu;
  }

  /**
   * The events of this CPU of this machine, at this event. As soon as the iteration has gone on, they are at the CPU's
   * next event, or have ended.
   * @internal
   */
  get cpuEvents(): CpuEvents {
    return this.#stream;
  }

  /** Thread id of the thread that was running when the event happened. */
  get pid(): number {
    return this.#stream.pid;
  }

  /** That thread's name as of the end of the trace; undefined if the guest did not keep it. */
  get task(): string | undefined {
    return this.#place.names.task(this.#stream.pid);
  }

  /** Event type id in the guest's kernel. */
  get id(): number {
    return this.#stream.id;
  }

  /** `system:event`; `#id` for a type without a format. */
  get name(): string {
    return this.format?.fullName ?? `#${this.#stream.id}`;
  }

  /**
   * The bytes of the event in its page, valid until the next event.
   * @internal
   */
  get record(): RecordData {
    return this.#stream.cursor;
  }

  /** Name of the tracing instance; empty for the top level. */
  get buffer(): string {
    return this.#place.buffer;
  }

  /** Name of the machine that the event happened on, in a session; empty if only one trace is read. */
  get machine(): string {
    return this.#place.machine;
  }

  /** The type's format; undefined if the trace has none. */
  get format(): EventFormat | undefined {
    return this.#place.names.catalogue.byId(this.#stream.id);
  }

  /**
   * Number of events lost on this CPU between the previous event and this one; `'unknown'` if the kernel did not count
   * them or a page could not be read; undefined for none. With a filter, those lost since the last event that passed
   * it.
   */
  get lost(): bigint | 'unknown' | undefined {
    return this.#stream.lost;
  }

  /**
   * A field's value: a number, a bigint for 8 bytes, a string, an array of numbers, or bytes (a view that is valid
   * until the next event). Undefined if the event has no such field, or the record is too short for it.
   */
  get(field: string): FieldValue | undefined {
    const found = this.#place.names.fields(this.#stream.id).get(field);
    return found === undefined ? undefined : readValue(this.#stream.cursor, found);
  }

  /** The event as a separate object, with its own fields but not the common ones. */
  toObject(): EventObject {
    const fields: [string, FieldValue][] = [];
    for (const field of this.format?.fields ?? []) {
      const value = readValue(this.#stream.cursor, field);
      if (value !== undefined)
        fields.push([field.name, value instanceof Uint8Array ? new Uint8Array(value) : value]);
    }
    const { timestamp, cpu, pid, task, name } = this;
    return { timestamp, cpu, pid, task, name, fields: Object.fromEntries(fields) };
  }
}
