import { fieldOf, parseEventFormat, type EventFormat } from './event-format.ts';
import { parseFieldLine, type Field } from './field.ts';
import { FormatError } from './format-error.ts';

/** Where every record has its event id and its thread. */
export interface CommonFields {
  readonly type: Field;
  readonly pid: Field;
}

/** As every kernel since 2.6.32 has them; formats, where given, are asked first. */
const usualCommonFields: CommonFields = {
  type: parseFieldLine('field:unsigned short common_type; offset:0; size:2; signed:0;')!,
  pid: parseFieldLine('field:int common_pid; offset:4; size:4; signed:1;')!,
};

const formatPath = /(?:^|\/)events\/([^/]+)\/[^/]+\/format$/;

/** The events of one kernel, by id and by name. */
export class EventCatalogue {
  readonly common: CommonFields;
  /** Format files that could not be taken, and why. */
  readonly malformed: readonly FormatError[];
  readonly #byId = new Map<number, EventFormat>();
  readonly #byName = new Map<string, EventFormat>();

  /**
   * `texts`: text by path, as in tracefs or in a metadata archive; paths that are not `events/SYSTEM/NAME/format`
   * are passed over. `longBytes`: size of the guest's `long`, which is its page layout's `commitBytes`.
   * Never throws: a bad format is put into `malformed`, and its event stays unknown.
   */
  constructor(texts: Iterable<readonly [path: string, text: string]> = [], longBytes: 4 | 8 = 8) {
    const malformed: FormatError[] = [];
    for (const [path, text] of texts) {
      const system = formatPath.exec(path)?.[1];
      if (system === undefined) continue;
      try {
        this.#add(parseEventFormat(system, text, longBytes));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        malformed.push(error);
      }
    }
    this.malformed = malformed;
    this.common = commonOf(this.#byId.values().next().value);
  }

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): EventFormat | undefined {
    return this.#byId.get(id);
  }

  /** `name` with its system, as in `sched:sched_switch`. */
  byName(name: string): EventFormat | undefined {
    return this.#byName.get(name);
  }

  formats(): IterableIterator<EventFormat> {
    return this.#byId.values();
  }

  #add(format: EventFormat): void {
    const other = this.#byId.get(format.id);
    if (other) {
      throw new FormatError(`format of ${format.fullName}`, `id ${format.id} is ${other.fullName}'s`);
    }
    this.#byId.set(format.id, format);
    this.#byName.set(format.fullName, format);
  }
}

function commonOf(format: EventFormat | undefined): CommonFields {
  const type = format && fieldOf(format, 'common_type');
  const pid = format && fieldOf(format, 'common_pid');
  return { type: type ?? usualCommonFields.type, pid: pid ?? usualCommonFields.pid };
}
