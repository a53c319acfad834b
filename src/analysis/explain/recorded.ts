import type { ClockPiece } from '../../trace/dat/clock-quality.ts';
import type { TimeShift } from '../../trace/dat/time-shift.ts';
import { readAlignment } from '../../trace/recording/clock-files.ts';
import type { Machine, Session } from '../../trace/session.ts';
import type { SessionThreads } from '../vcpu-threads.ts';
import type { MachineReader } from './machine-reader.ts';
import type { ExplainedClock, GuestPause } from './result.ts';
import type { Scene } from './scene/scene.ts';
import type { ShapeKind } from './shapes.ts';

/** How the clock of a guest ran, one stretch after the other; empty if its file does not say it. */
export function piecesOf({ trace }: Machine): readonly ClockPiece[] {
  return trace.kind === 'recording' ? (readAlignment(trace.path)?.pieces ?? []) : [];
}

/**
 * The largest error of a guest's times between two times of the host: of the stretches that are nearest to these times,
 * and of those between. What is uncertain at a jump itself is not counted, as in `boundNs` of a clock.
 * @returns undefined without a stretch
 */
export function boundBetween(pieces: readonly ClockPiece[], from: bigint, to: bigint): number | undefined {
  // a time between two stretches is near both of them
  const ends = pieces.map(({ guestFrom, guestTo, offsetNs, ratePpm }) => {
    const length = guestTo - guestFrom;
    return guestTo + offsetNs + BigInt(Math.round(Number(length) * ratePpm * 1e-6));
  });
  const near = pieces.filter((_, index) => {
    const next = pieces[index + 1];
    const isAfter = index > 0 && to <= ends[index - 1]!;
    const isBefore = next !== undefined && from >= next.guestFrom + next.offsetNs;
    return !isAfter && !isBefore;
  });
  return near.reduce<number | undefined>((most = 0, { boundNs }) => Math.max(most, boundNs), undefined);
}

/** How a guest's times were converted to the host's. */
export function clockOf(
  { trace, hasHostTimes }: Machine,
  pieces: readonly ClockPiece[],
  checks: Pick<ExplainedClock, 'samples' | 'violations'>,
): ExplainedClock {
  const none = { method: 'none', offsetNs: null, ratePpm: null, boundNs: null, ...checks };
  if (!hasHostTimes) return none;
  const [first] = pieces;
  if (first !== undefined)
    return {
      ...checks,
      method: [...new Set(pieces.flatMap(({ methods }) => methods))].join(' and '),
      offsetNs: first.offsetNs,
      ratePpm: first.ratePpm,
      boundNs: pieces.reduce((most, { boundNs }) => Math.max(most, boundNs), 0),
    };
  const samples = trace.source.timeShift?.cpus.find(({ length }) => length > 0) ?? [];
  const [begin, end] = [samples[0], samples.at(-1)];
  if (begin === undefined || end === undefined) return none;
  const span = Number(end.time - begin.time);
  const ratePpm = span > 0 ? (Number(end.offset - begin.offset) / span) * 1e6 : 0;
  const quality = trace.source.timeShift?.quality;
  const method = quality?.methods.join(' and ') ?? 'TIME_SHIFT';
  return { ...checks, method, offsetNs: begin.offset, ratePpm, boundNs: quality?.boundNs ?? null };
}

/**
 * When guests were paused: as `trace-host record` noted it in their files. A file without a note shows when the guest's
 * clock stood still.
 */
export function recordedPauses({ machines }: Session): GuestPause[] {
  return machines.flatMap(({ name, trace, hasHostTimes }) => {
    if (!hasHostTimes) return [];
    const noted = trace.source.pauses;
    if (noted === undefined)
      return stillTimes(trace.source.timeShift).map((times) => ({ guest: name, ...times }));
    return noted.flatMap(({ pausedFrom, pausedTo }) =>
      pausedFrom !== null && pausedTo !== null
        ? [{ guest: name, from: BigInt(pausedFrom), to: BigInt(pausedTo) }]
        : [],
    );
  });
}

/** The shortest time without a guest's clock that is a pause: less may be an error of the relation between the clocks. */
const leastStillNs = 5_000_000n;
/** Its clock goes on by less than this part of it. */
const stillPart = 100n;

/** When a guest's clock stood still, in times of the host, as exactly as the relation of the clocks is known. */
export function stillTimes(shift: Pick<TimeShift, 'cpus'> | undefined): { from: bigint; to: bigint }[] {
  const samples = shift?.cpus.find(({ length }) => length > 0) ?? [];
  return samples.slice(1).flatMap(({ time, offset }, index) => {
    const before = samples[index]!;
    const stillNs = offset - before.offset;
    const isStill = stillNs >= leastStillNs && (time - before.time) * stillPart < stillNs;
    return isStill ? [{ from: before.time + before.offset, to: time + offset }] : [];
  });
}

/** What was not recorded, and how to record it. Texts may contain names of guests. */
export function missingFrom(
  session: Session,
  scene: Scene,
  readers: readonly MachineReader[],
  threads: SessionThreads,
): string[] {
  const missing: string[] = [];
  const host = readers.find(({ machine }) => machine.isHost);
  const guests = readers.filter((reader) => reader !== host);
  if (host === undefined)
    missing.push(
      'the host was not traced: when a vCPU did not run, and why, is unknown; ' +
        'record both: trace-host record -e sched -e irq -e kvm -A NAME -e sched -e irq -e timer',
    );
  else if (guests.length === 0)
    missing.push(
      'no guest was traced: its tasks are unknown; record it, too: trace-host record -e sched -A NAME -e sched',
    );
  for (const name of session.missing)
    missing.push(`${name}: the file of this guest was not found: its tasks are unknown; name its file, too`);
  for (const reader of readers) {
    const { counts, machine, timersDropped } = reader;
    const lacks = (what: string, kind: ShapeKind, events: readonly string[]): void => {
      const options = events.map((event) => `-e ${event}`).join(' ');
      const isThere = reader.describes(kind);
      const without = kind === 'kvm-exit' ? ', unless the guests run without KVM' : '';
      const unless = isThere ? without : ', if its kernel has these events';
      missing.push(`${machine.name}: ${what}; record it with ${options}${unless}`);
    };
    if (counts.switch === undefined)
      lacks(
        machine.isHost
          ? 'no sched_switch: when vCPUs ran is unknown'
          : 'no sched_switch: no wait can be found',
        'switch',
        ['sched:sched_switch'],
      );
    if (counts.waking === undefined && counts.wakeup === undefined)
      lacks(
        machine.isHost
          ? 'no sched_waking: since when a vCPU wanted to run is unknown'
          : 'no sched_waking: only waits of preempted tasks are found',
        'waking',
        ['sched:sched_waking'],
      );
    if (!machine.isHost && counts['timer-expire'] === undefined)
      lacks('no timers: a wait begins when the guest noticed, not when it was due', 'timer-expire', [
        'timer:hrtimer_start',
        'timer:hrtimer_expire_entry',
        'timer:hrtimer_expire_exit',
      ]);
    if (counts['irq-entry'] === undefined && counts['softirq-entry'] === undefined)
      lacks('no interrupts: their time counts as that of the task below', 'irq-entry', ['irq']);
    if (machine.isHost && counts['kvm-exit'] === undefined)
      lacks('no kvm_exit and kvm_entry: time in the hypervisor counts as that of the guest', 'kvm-exit', [
        'kvm:kvm_exit',
        'kvm:kvm_entry',
      ]);
    if (machine.lostAt > -Infinity)
      missing.push(`${machine.name}: events were lost; record with larger rings: -b KIB`);
    if (machine.tasksDropped > 0) missing.push(`${machine.name}: too many tasks to tell all of them apart`);
    if (timersDropped > 0)
      missing.push(`${machine.name}: too many timers; some waits begin when the guest noticed`);
  }
  for (const machine of session.machines) {
    const { name, trace, hasHostTimes } = machine;
    if (host === undefined || trace === session.machines[0]!.trace) continue;
    if (!hasHostTimes)
      missing.push(
        `${name}: its times are those of its own clock, so the host's cannot explain them; record it together with the host`,
      );
    else if (threads.of(name).size === 0)
      missing.push(
        `${name}: which threads of the host are its vCPUs is unknown; record it with trace-host or trace-cmd -A`,
      );
    else if (threads.found === name)
      missing.push(
        `${name}: which threads of the host are its vCPUs is not in the host's file; those of KVM's events are taken, as only one guest is in these`,
      );
    if (trace.buffers.length > 1)
      missing.push(`${name}: only the events of its first tracing instance were read`);
  }
  if (scene.waitsInLoss > 0)
    missing.push(`${scene.waitsInLoss} waits ended in events that were lost, and are left out`);
  if (scene.waits.unresolved > 0)
    missing.push(`the causes of ${scene.waits.unresolved} waits were not looked for: too many long ones`);
  if (scene.entities.dropped > 0) missing.push('too many tasks and interrupts to name all of them');
  return missing;
}
