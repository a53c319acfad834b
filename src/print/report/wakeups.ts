import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { Trace } from '../../trace/open.ts';
import { EventPrinter } from '../event/event-printer.ts';
import type { PrintContext } from '../event/context.ts';
import { numberField } from '../handlers/handler.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import type { Value } from '../value/value.ts';

/** The first priority of normal tasks; smaller numbers are priorities of real-time tasks. */
const firstNormalPriority = 100;
/** Limit for the number of woken tasks that have not run yet: pids come from the guest. */
const maxWaiting = 1 << 20;

interface WakeupEvent {
  readonly id: number;
  readonly pid: Value;
  readonly success: Value | undefined;
}

/** Latencies of all tasks, or of the real-time ones. */
class Latencies {
  #count = 0n;
  #total = 0n;
  #longest = 0n;
  #longestAt = 0n;
  #shortest: bigint | undefined;
  #shortestAt = 0n;

  get isEmpty(): boolean {
    return this.#count === 0n;
  }

  add(latency: bigint, at: bigint): void {
    this.#count++;
    this.#total += latency;
    if (latency > this.#longest) {
      this.#longest = latency;
      this.#longestAt = at;
    }
    if (this.#shortest === undefined || latency < this.#shortest) {
      this.#shortest = latency;
      this.#shortestAt = at;
    }
  }

  text(): string {
    const average = this.#total / this.#count;
    return (
      `\nAverage wakeup latency: ${microseconds(average)}\n` +
      `Maximum Latency: ${microseconds(this.#longest)} at timestamp: ${seconds(this.#longestAt)}\n` +
      `Minimum Latency: ${microseconds(this.#shortest ?? 0n)} at timestamp: ${seconds(this.#shortestAt)}\n\n`
    );
  }
}

/** `-w`: appends the wakeup latency to each line in which a task starts to run. */
export class Wakeups {
  readonly #wakeups: readonly WakeupEvent[];
  readonly #switchId: number;
  readonly #nextPid: Value;
  readonly #nextPriority: Value;
  readonly #wokenAt = new Map<number, bigint>();
  readonly #all = new Latencies();
  readonly #realTime = new Latencies();

  /** The latencies of a trace; undefined if it does not contain the required events. */
  static of(trace: Trace, context: PrintContext): Wakeups | undefined {
    const fieldsOf = (name: string): { id: number; fields: EventPrinter['fields'] } | undefined => {
      const format = trace.format(name);
      return format && { id: format.id, fields: new EventPrinter(format, context).fields };
    };
    const wakeups = ['sched:sched_wakeup', 'sched:sched_wakeup_new'].map((name) => {
      const found = fieldsOf(name);
      const pid = found && numberField(found.fields, 'pid');
      return found && pid && { id: found.id, pid, success: numberField(found.fields, 'success') };
    });
    const change = fieldsOf('sched:sched_switch');
    const nextPid = change && numberField(change.fields, 'next_pid');
    const nextPriority = change && numberField(change.fields, 'next_prio');
    if (wakeups[0] === undefined || nextPid === undefined || nextPriority === undefined) return undefined;
    const present = wakeups.filter((each) => each !== undefined);
    return new Wakeups(present, change!.id, nextPid, nextPriority);
  }

  private constructor(
    wakeups: readonly WakeupEvent[],
    switchId: number,
    nextPid: Value,
    nextPriority: Value,
  ) {
    this.#wakeups = wakeups;
    this.#switchId = switchId;
    this.#nextPid = nextPid;
    this.#nextPriority = nextPriority;
  }

  /** Call after the event's line; text is inserted before the newline. */
  after({ id, record }: TraceEvent, time: bigint, out: TextBuffer): void {
    if (id === this.#switchId) {
      const pid = this.#nextPid.number(record);
      const wokenAt = this.#wokenAt.get(pid);
      if (wokenAt === undefined) return;
      this.#wokenAt.delete(pid);
      const latency = BigInt.asUintN(64, time - wokenAt);
      this.#all.add(latency, time);
      if (this.#nextPriority.number(record) < firstNormalPriority) this.#realTime.add(latency, time);
      out.length--;
      out.string(` Latency: ${microseconds(latency)}\n`);
      return;
    }
    const wakeup = this.#wakeups.find((each) => each.id === id);
    if (wakeup === undefined || wakeup.success?.number(record) === 0) return;
    if (this.#wokenAt.size >= maxWaiting) this.#wokenAt.clear();
    this.#wokenAt.set(wakeup.pid.number(record), time);
  }

  /** The text after the last line. */
  summary(): string {
    if (this.#all.isEmpty) return '';
    return this.#all.text() + (this.#realTime.isEmpty ? '' : `RT task timings:\n${this.#realTime.text()}`);
  }
}

function microseconds(ns: bigint): string {
  return `${ns / 1000n}.${String(ns % 1000n).padStart(3, '0')} usecs`;
}

function seconds(ns: bigint): string {
  const fraction = ((ns + 500n) % 1_000_000_000n) / 1000n;
  return `${ns / 1_000_000_000n}.${String(fraction).padStart(6, '0')}`;
}
