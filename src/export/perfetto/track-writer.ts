import type { ByteBuffer } from '../../base/byte-buffer.ts';
import { ProtoWriter } from './proto-writer.ts';

/** `ChildTracksOrdering.EXPLICIT`. */
const explicitOrder = 3;
/** `SEQ_INCREMENTAL_STATE_CLEARED`: a reader may skip events of a sequence that does not begin with it. */
const stateCleared = 1;
const sliceBegin = 1;
const sliceEnd = 2;

/** What a slice shows. Texts may come from the machines. */
export interface Slice {
  readonly name: string;
  readonly category: string;
  /** Values by name; null ones are left out. */
  readonly annotations: Readonly<Record<string, string | number | boolean | null>>;
  /** Ids of a flow that begins at the slice, and of one that ends there. */
  readonly flow?: number | undefined;
  readonly flowEnd?: number | undefined;
}

/**
 * Writes tracks and their slices. All are of the first machine: the trace processor draws no flow from one machine to
 * another. The slices of one track must be written in the order of time, nested or one after the other.
 */
export class TrackWriter {
  readonly #sequence: number;
  readonly #packet = new ProtoWriter();
  readonly #whole = new ProtoWriter();
  #lastId = 0;

  /** @param sequence id of the packets; no others may have it */
  constructor(sequence: number) {
    this.#sequence = sequence;
  }

  /**
   * Describes a new track. If several with the same parent have the same name, the UI shows them as one.
   * @param rank its place among the tracks with the same parent
   * @returns its id
   */
  track(out: ByteBuffer, name: string, parent?: number, rank = 0): number {
    const id = ++this.#lastId;
    const packet = this.#packet;
    packet.clear();
    if (id === 1) packet.number(13, stateCleared);
    packet.message(60, (descriptor) => {
      descriptor.number(1, id);
      descriptor.text(2, name);
      if (parent !== undefined) descriptor.number(5, parent);
      descriptor.number(11, explicitOrder);
      descriptor.number(12, rank);
    });
    this.#write(out);
    return id;
  }

  /** @param time in ns; Perfetto has no times before 0 */
  begin(out: ByteBuffer, track: number, time: bigint, slice: Slice): void {
    const { name, category, annotations, flow, flowEnd } = slice;
    this.#event(out, track, time, sliceBegin, (event) => {
      for (const [key, value] of Object.entries(annotations)) {
        if (value === null) continue;
        event.message(4, (annotation) => {
          annotation.text(10, key);
          if (typeof value === 'string') annotation.text(6, value);
          else if (typeof value === 'boolean') annotation.number(2, value ? 1 : 0);
          else annotation.number(4, value);
        });
      }
      event.text(22, category);
      event.text(23, name);
      if (flow !== undefined) event.fixed64(47, flow);
      if (flowEnd !== undefined) event.fixed64(48, flowEnd);
    });
  }

  /** Ends the innermost slice of the track. */
  end(out: ByteBuffer, track: number, time: bigint): void {
    this.#event(out, track, time, sliceEnd, () => {});
  }

  #event(
    out: ByteBuffer,
    track: number,
    time: bigint,
    type: number,
    write: (event: ProtoWriter) => void,
  ): void {
    const packet = this.#packet;
    packet.clear();
    packet.number(8, time < 0n ? 0n : time);
    packet.message(11, (event) => {
      event.number(9, type);
      event.number(11, track);
      write(event);
    });
    this.#write(out);
  }

  #write(out: ByteBuffer): void {
    const [packet, whole] = [this.#packet, this.#whole];
    packet.number(10, this.#sequence);
    whole.clear();
    whole.block(1, packet.view());
    out.copy(whole.view());
  }
}
