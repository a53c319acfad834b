import { commonLines, fieldOf, parseEventFormat, type EventFormat } from './event-format.ts';
import { parseFieldLine, type Field } from './field.ts';
import { FormatError } from './format-error.ts';

/** The fields of every record that hold its event id and thread id. */
export interface CommonFields {
  readonly type: Field;
  readonly pid: Field;
}

/** The fields of every kernel since 2.6.32; used if no format declares them. */
const usualCommonFields: CommonFields = {
  type: parseFieldLine('field:unsigned short common_type; offset:0; size:2; signed:0;')!,
  pid: parseFieldLine('field:int common_pid; offset:4; size:4; signed:1;')!,
};

const formatPath = /(?:^|\/)events\/([^/]+)\/[^/]+\/format$/;

/** The events of one kernel, by id and by name. */
export class EventCatalogue {
  readonly common: CommonFields;
  readonly #malformed: readonly FormatError[];
  readonly #byId = new Map<number, EventFormat>();
  readonly #byName = new Map<string, EventFormat>();

  /**
   * `texts`: text by path, as in tracefs or in a metadata archive; ignores paths other than
   * `events/SYSTEM/NAME/format`. `longBytes`: size of the guest's `long`, the page layout's `commitBytes`. Fields are
   * parsed when a format is used.
   * Never throws: bad formats are listed in `malformed`, and their events stay unknown.
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
    this.#malformed = malformed;
    this.common = commonOf(this.#byId.values());
  }

  /** Format files that could not be parsed, wholly or partly, and why. Parses all formats. */
  get malformed(): readonly FormatError[] {
    const malformed = [...this.#malformed];
    for (const { fullName, unread } of this.#byId.values()) {
      const [first] = unread;
      if (first === undefined) continue;
      const more = unread.length > 1 ? `, and ${unread.length - 1} more` : '';
      malformed.push(
        new FormatError(`format of ${fullName}`, `cannot parse the line ${excerpt(first)}${more}`),
      );
    }
    return malformed;
  }

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): EventFormat | undefined {
    return this.#byId.get(id);
  }

  /** `name` includes the system, e.g. `sched:sched_switch`. */
  byName(name: string): EventFormat | undefined {
    return this.#byName.get(name);
  }

  formats(): IterableIterator<EventFormat> {
    return this.#byId.values();
  }

  #add(format: EventFormat): void {
    const other = this.#byId.get(format.id);
    if (other) {
      throw new FormatError(
        `format of ${format.fullName}`,
        `id ${format.id} already belongs to ${other.fullName}`,
      );
    }
    this.#byId.set(format.id, format);
    this.#byName.set(format.fullName, format);
  }
}

const commonNames = ['common_type', 'common_pid'] as const;

/** The event's common fields; undefined if its format does not declare them in the usual sizes. */
function commonFieldsOf(format: EventFormat): CommonFields | undefined {
  const [type, pid] = commonNames.map((name) => fieldOf(format, name));
  return type?.bytes === 2 && pid?.bytes === 4 ? { type, pid } : undefined;
}

/** The fields that most formats declare: a single odd format must not decide for all others. */
function commonOf(formats: Iterable<EventFormat>): CommonFields {
  const votes = new Map<string, { readonly common: CommonFields; count: number }>();
  // nearly all formats have the same lines
  const known = new Map<string, CommonFields | undefined>();
  for (const format of formats) {
    const lines = commonLines(format, commonNames);
    const common = lines !== undefined && known.has(lines) ? known.get(lines) : commonFieldsOf(format);
    if (lines !== undefined) known.set(lines, common);
    if (common === undefined) continue;
    const key = `${common.type.offset} ${common.pid.offset}`;
    const vote = votes.get(key) ?? { common, count: 0 };
    vote.count++;
    votes.set(key, vote);
  }
  const most = [...votes.values()].reduce<{ readonly common: CommonFields; readonly count: number }>(
    (best, vote) => (vote.count > best.count ? vote : best),
    { common: usualCommonFields, count: 0 },
  );
  return most.common;
}

function excerpt(line: string): string {
  const most = 120;
  return JSON.stringify(line.length > most ? `${line.slice(0, most)}…` : line);
}
