import { Failure } from '../../base/failure.ts';
import type { CutSource } from '../../trace/events/cut-source.ts';
import { type Cut, cutsOf } from '../../trace/events/cuts.ts';
import type { EventFilter } from '../../trace/open.ts';
import type { ReportInput } from '../report/options.ts';
import { graphExit } from '../report/trace-printer.ts';
import { bufferKey, type PartOrder } from './messages.ts';

/** The parts of a report, one after the other. */
export class PartOrders {
  /** Whether a Failure ended the parts early. */
  areLost = false;
  readonly #orders: Iterator<PartOrder, void>;

  constructor(inputs: readonly ReportInput[], filters: readonly EventFilter[], partBytes: number) {
    this.#orders = ordersOf(inputs, filters, partBytes);
  }

  /** The next part; undefined if there is none. Reads some pages. Blocks. */
  next(): PartOrder | undefined {
    try {
      const next = this.#orders.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.areLost = true;
      return undefined;
    }
  }
}

function* ordersOf(
  inputs: readonly ReportInput[],
  filters: readonly EventFilter[],
  partBytes: number,
): Generator<PartOrder, void, undefined> {
  const keys: string[] = [];
  const sources: CutSource[] = [];
  for (const [index, { trace, timeOffset }] of inputs.entries()) {
    const { from, to, cpus, buffers } = filters[index]!;
    const shift = inputs.length > 1 ? timeOffset : 0n;
    const wanted = buffers && new Set(buffers);
    for (const { name } of trace.buffers) {
      if (wanted?.has(name) === false) continue;
      for (const { cpu } of trace.pagesOf({ ...(cpus && { cpus }), buffers: [name] })) {
        keys.push(bufferKey(index, name));
        sources.push({
          cpu,
          layout: trace.source.layout,
          shift,
          from,
          to,
          group: bufferKey(index, name),
          notFirst: trace.format(graphExit)?.id,
          typeOffset: trace.source.catalogue.common.type.offset,
        });
      }
    }
  }
  const stepsOf = ({ steps }: Cut): PartOrder['steps'] => {
    const byKey = new Map<string, number[]>();
    for (const [index, key] of keys.entries()) {
      const list = byKey.get(key) ?? [];
      byKey.set(key, [...list, steps[index]!]);
    }
    return byKey;
  };
  let before: Cut | undefined;
  for (const cut of cutsOf(sources, partBytes)) {
    yield { from: before?.time, until: cut.time, steps: before === undefined ? new Map() : stepsOf(before) };
    before = cut;
  }
  yield { from: before?.time, until: undefined, steps: before === undefined ? new Map() : stepsOf(before) };
}
