import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintField, PrintFields } from '../format/print-field.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { memoryValue, type Value } from '../value/value.ts';

/** TRACE_FLAG_* of the kernel's trace_events.h. */
export const traceFlag = { irqsOff: 1, irqsUnknown: 2, needResched: 4, hardirq: 8, softirq: 16 } as const;

const character = (text: string): number => text.charCodeAt(0);
const dot = character('.');

/** Reads the flags that every event has, and writes them as the latency format does, e.g. `d.h1.`. */
export class LatencyFlags {
  readonly #flags: Value;
  readonly #preemptCount: Value;
  readonly #lockDepth: PrintField | undefined;
  readonly #migrateDisable: PrintField | undefined;

  constructor(fields: PrintFields | undefined) {
    const value = (name: string, offset: number): Value => {
      const field = fields?.findCommon(name);
      return memoryValue(field?.offset ?? offset, field?.size ?? 1);
    };
    this.#flags = value('common_flags', 2);
    this.#preemptCount = value('common_preempt_count', 3);
    this.#lockDepth = fields?.findCommon('common_lock_depth');
    // libtraceevent reads this count from the field of the lock depth, if the event has that field
    this.#migrateDisable = this.#lockDepth ?? fields?.findCommon('common_migrate_disable');
  }

  flags(record: RecordData): number {
    return this.#flags.number(record);
  }

  write(out: TextBuffer, record: RecordData): void {
    const flags = this.flags(record);
    const has = (flag: number): boolean => (flags & flag) !== 0;
    out.byte(character(has(traceFlag.irqsOff) ? 'd' : has(traceFlag.irqsUnknown) ? 'X' : '.'));
    out.byte(has(traceFlag.needResched) ? character('N') : dot);
    const isHard = has(traceFlag.hardirq);
    const isSoft = has(traceFlag.softirq);
    out.byte(character(isHard && isSoft ? 'H' : isHard ? 'h' : isSoft ? 's' : '.'));
    const count = this.#preemptCount.number(record);
    if ((count & 0xf) === 0) out.byte(dot);
    else out.hex(count & 0xf);
    if ((count & 0xf0) === 0) out.byte(dot);
    else out.hex(count >> 4);
    for (const field of [this.#migrateDisable, this.#lockDepth]) {
      if (field === undefined) continue;
      const value = memoryValue(field.offset, field.size).number(record) | 0;
      if (value < 0) out.byte(dot);
      else out.decimal(value);
    }
  }
}
