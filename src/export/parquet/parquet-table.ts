import type { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import { type FieldValue, readValue } from '../../trace/format/record-data.ts';
import { version } from '../../base/version.ts';
import type { EventType, RowParts } from '../event-tables.ts';
import { appendTo } from '../output/write-directory.ts';
import { type Column, commonColumnsOf, type OwnColumn, ownColumns } from './columns.ts';

type Library = typeof import('hyparquet-writer');
type Value = FieldValue | undefined;

/** Approximate heap size of a bigint or a short text. */
const valueBytes = 32;
const firstBytes = 1 << 10;

/** A Parquet file, written row group by row group. Only open while a group is being written. */
export class ParquetFile {
  readonly #path: string;
  readonly #bytes: ByteWriter;
  readonly #writer: ParquetWriter;
  readonly #columns: readonly Column[];
  /** Number of column chunks written. Their descriptions stay in memory, because the file's footer has them all. */
  chunks = 0;

  constructor(library: Library, path: string, columns: readonly Column[]) {
    this.#path = path;
    this.#columns = columns;
    this.#bytes = new library.ByteWriter();
    this.#writer = new library.ParquetWriter({
      writer: this.#bytes,
      schema: [{ name: 'schema', num_children: columns.length }, ...columns.flatMap(({ schema }) => schema)],
      createdBy: `virtio-trace ${version}`,
    });
  }

  /** Writes a row group; `values` has one array per column. */
  async writeGroup(values: readonly Value[][]): Promise<number> {
    const rows = values[0]?.length ?? 0;
    await this.#writer.write({
      columnData: this.#columns.map(({ name }, index) => ({
        name,
        data: values[index]!,
        offsetIndex: false,
      })),
      rowGroupSize: rows,
    });
    this.chunks += this.#columns.length;
    return this.#drain();
  }

  async finish(): Promise<number> {
    await this.#writer.finish();
    return this.#drain();
  }

  /** @returns the number of bytes */
  async #drain(): Promise<number> {
    const bytes = this.#bytes.getBytes();
    await appendTo(this.#path, bytes);
    // `offset` is not reset; the memory is freed, because there is one such writer per event type
    this.#bytes.buffer = new ArrayBuffer(firstBytes);
    this.#bytes.view = new DataView(this.#bytes.buffer);
    this.#bytes.index = 0;
    return bytes.length;
  }
}

/** The rows of one event type. Buffers rows until `flush`. */
export class ParquetTable {
  readonly file: ParquetFile;
  readonly fieldColumns: readonly OwnColumn[];
  /** Approximate memory size of the buffered rows. */
  waitingBytes = 0;
  readonly #columns: readonly Column[];
  readonly #commonCount: number;
  #values: Value[][];

  /** @param isNamed whether rows name their machine */
  constructor(library: Library, path: string, { formats }: EventType, isNamed: boolean) {
    const common = commonColumnsOf(isNamed);
    this.fieldColumns = ownColumns(formats, isNamed);
    this.#commonCount = common.length;
    this.#columns = [...common, ...this.fieldColumns];
    this.#values = this.#columns.map(() => []);
    this.file = new ParquetFile(library, path, this.#columns);
  }

  /** @returns by how much `waitingBytes` has grown */
  add(event: TraceEvent, { fields, guest, machine }: RowParts): number {
    const values = this.#values;
    const { record, buffer } = event;
    values[0]!.push(BigInt.asIntN(64, event.timestamp));
    values[1]!.push(event.cpu);
    values[2]!.push(event.pid);
    values[3]!.push(event.task);
    values[4]!.push(guest);
    values[5]!.push(buffer === '' ? undefined : buffer);
    if (machine !== undefined) values[6]!.push(machine);
    let bytes = values.length * valueBytes;
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index];
      const value = field && readValue(record, field);
      if (typeof value === 'string') bytes += value.length;
      else if (typeof value === 'object') bytes += value.length * valueBytes;
      values[this.#commonCount + index]!.push(kept(value, this.fieldColumns[index]!));
    }
    this.waitingBytes += bytes;
    return bytes;
  }

  /** Writes the buffered rows as a row group. @returns the number of bytes written */
  async flush(): Promise<number> {
    if (this.waitingBytes === 0) return 0;
    const values = this.#values;
    this.#values = this.#columns.map(() => []);
    this.waitingBytes = 0;
    return this.file.writeGroup(values);
  }
}

/** A value as the column keeps it. */
function kept(value: Value, { isWide }: OwnColumn): Value {
  // a view into a page that will be reused
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (!isWide) return value;
  if (typeof value === 'number') return BigInt(value);
  return typeof value === 'object' && typeof value[0] === 'number' ? value.map(BigInt) : value;
}
