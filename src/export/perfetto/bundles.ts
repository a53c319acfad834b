import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { ByteBuffer } from '../../base/byte-buffer.ts';
import { type EventType, eventTypeOf, type GenericForm } from './event-type.ts';
import { writeEvent } from './event-writer.ts';
import { packetOf } from './packets.ts';
import { ProtoWriter } from './proto-writer.ts';

/**
 * When the events of all CPUs together reach this size, their bundles are written. Small, so that bundles are nearly in
 * time order, as needed by readers that sort within a window.
 */
const windowBytes = 256 << 10;
/** Total size of the buffers that are kept for the next window, for all CPUs together. */
const keptBytes = 8 << 20;

/** The events of one CPU of a tracing instance that are not yet written. */
interface Bundle {
  readonly cpu: number;
  readonly events: ProtoWriter;
  readonly described: Set<EventType>;
  isAfterLoss: boolean;
}

/** Collects events in bundles, one for each CPU. */
export class Bundles {
  readonly #form: GenericForm;
  readonly #machineId: number;
  readonly #firstDescriptor: number;
  readonly #bundles = new Map<string, (Bundle | undefined)[]>();
  readonly #types: (EventType | undefined)[] = [];
  #bytes = 0;
  #count = 0;

  /** @param firstDescriptor as for `eventTypeOf` */
  constructor(form: GenericForm, machineId: number, firstDescriptor: number) {
    this.#form = form;
    this.#machineId = machineId;
    this.#firstDescriptor = firstDescriptor;
  }

  /** Whether to call `writeTo` before the next event. */
  get isFull(): boolean {
    return this.#bytes >= windowBytes;
  }

  /** The types of all events so far. */
  types(): EventType[] {
    return this.#types.filter((type) => type !== undefined);
  }

  /** Adds an event. After a loss, writes the CPU's bundle to `out` and begins a new one. */
  add(event: TraceEvent, out: ByteBuffer): void {
    const { id, cpu, lost } = event;
    const type = (this.#types[id] ??= eventTypeOf(id, event.format, this.#form, this.#firstDescriptor));
    const bundle = this.#bundleOf(event.buffer, cpu);
    if (lost !== undefined) {
      writeBundle(bundle, this.#machineId, out);
      bundle.isAfterLoss = true;
    }
    const { events, described } = bundle;
    const before = events.length;
    writeEvent(events, type, event.timestamp, event.pid, event.record);
    this.#bytes += events.length - before;
    if (type.descriptor !== undefined) described.add(type);
  }

  /** Writes all bundles. */
  writeTo(out: ByteBuffer): void {
    for (const bundles of this.#bundles.values()) {
      for (const bundle of bundles) {
        if (bundle === undefined) continue;
        writeBundle(bundle, this.#machineId, out);
        if (bundle.events.bytes.length > keptBytes / this.#count) bundle.events.release();
      }
    }
    this.#bytes = 0;
  }

  #bundleOf(buffer: string, cpu: number): Bundle {
    let bundles = this.#bundles.get(buffer);
    if (bundles === undefined) {
      bundles = [];
      this.#bundles.set(buffer, bundles);
    }
    const known = bundles[cpu];
    if (known !== undefined) return known;
    this.#count++;
    return (bundles[cpu] = { cpu, events: new ProtoWriter(), described: new Set(), isAfterLoss: false });
  }
}

/** Writes a bundle as a packet and empties it. */
function writeBundle(bundle: Bundle, machineId: number, out: ByteBuffer): void {
  const { cpu, events, described } = bundle;
  if (events.length === 0) return;
  const packet = new ProtoWriter();
  const head = new ProtoWriter();
  head.number(1, cpu);
  if (bundle.isAfterLoss) head.number(3, 1);
  // before the events, because readers parse from front to back
  for (const { descriptor } of described) head.block(11, descriptor!);
  packet.lengthOf(1, head.length + events.length);
  packet.copy(head.view());
  packet.copy(events.view());
  out.copy(packetOf(packet, machineId));
  events.clear();
  described.clear();
  bundle.isAfterLoss = false;
}
