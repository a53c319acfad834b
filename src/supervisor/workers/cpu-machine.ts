/**
 * The life of one CPU as a pure function: the actual state, the wanted state, and every step between states. The
 * table is in docs/supervision.md.
 */

export type CpuState =
  /**
   * Nothing is open. `restartMs`: the descriptors are opened at once, but the next worker starts only after this delay.
   */
  | { readonly kind: 'absent'; readonly restartMs?: number }
  /** The ring or the port is not available; retried at intervals. */
  | { readonly kind: 'waiting'; readonly why: string; readonly reason: string; readonly tries: number }
  /** Descriptors are open; waiting for a turn to fork. */
  | { readonly kind: 'queued' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'running' }
  | { readonly kind: 'stopping' }
  /** The worker found a descriptor dead for good and is exiting. */
  | { readonly kind: 'parting'; readonly what: 'ring' | 'port' }
  /** The worker was told to leave. */
  | { readonly kind: 'leaving' }
  /** The worker crashed; the descriptors stay open, and the pipe keeps its content. */
  | { readonly kind: 'backing-off' }
  /** The CPU was given up: its workers kept crashing. */
  | { readonly kind: 'failed' }
  /** Everything is closed, as wanted. */
  | { readonly kind: 'ended' };

export type Wanted = 'run' | 'stop' | 'leave';

export interface CpuModel {
  readonly state: CpuState;
  readonly wanted: Wanted;
  /**
   * Tracing was ordered at some time since the last complete flush, so the ring may hold pages that a stop has to
   * send.
   */
  readonly owesFlush: boolean;
  /** The id of the stop that waits for this CPU. */
  readonly stopId: number | undefined;
  /** Number of workers that found ring or port dead while that stop waited. */
  readonly stopDepartures: number;
}

export const newCpu: CpuModel = {
  state: { kind: 'absent' },
  wanted: 'stop',
  owesFlush: false,
  stopId: undefined,
  stopDepartures: 0,
};

export type CpuEvent =
  | { readonly kind: 'open' }
  | { readonly kind: 'opened' }
  /** `why` is the same for reasons that differ only in wording. */
  | { readonly kind: 'unavailable'; readonly why: string; readonly reason: string }
  | { readonly kind: 'spawned' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'stopped'; readonly id: number; readonly flushed: boolean }
  | { readonly kind: 'gone'; readonly what: 'ring' | 'port' }
  /**
   * `restartMs`: the restart policy's delay before the next worker starts. `undefined` means no delay if the worker
   * left because its ring or port went away; after a crash, it means that the CPU is given up.
   */
  | { readonly kind: 'exited'; readonly clean: boolean; readonly restartMs: number | undefined }
  | { readonly kind: 'timer' }
  | { readonly kind: 'run' }
  | { readonly kind: 'stop'; readonly id: number }
  /** `heldBytes`: bytes in the pipe, which a worker still has to send to the port. */
  | { readonly kind: 'leave'; readonly heldBytes: number };

/** The result of a stop for one CPU. */
export type StopOutcome =
  /** Everything in the ring was sent. */
  | 'flushed'
  /** The port was full until the timeout of the stop. */
  | 'timed-out'
  /** The CPU had not been tracing. */
  | 'idle'
  /** A later start superseded the stop. */
  | 'superseded'
  /** The CPU has no ring or no port, or was given up. */
  | 'unreachable';

export type Effect =
  /** Opens ring and port; answers with `opened` or `unavailable`. */
  | { readonly kind: 'open' }
  | { readonly kind: 'fork' }
  | { readonly kind: 'send-start' }
  | { readonly kind: 'send-stop'; readonly id: number }
  | { readonly kind: 'send-leave' }
  | { readonly kind: 'close'; readonly what: 'ring' | 'port' | 'all' }
  | { readonly kind: 'timer'; readonly ms: number }
  | { readonly kind: 'report-stop'; readonly id: number; readonly outcome: StopOutcome }
  /** The reason for waiting has changed. */
  | { readonly kind: 'say-waiting'; readonly reason: string };

export interface Step {
  readonly cpu: CpuModel;
  readonly effects: readonly Effect[];
}

/** Delay before a missing ring or port is tried again; doubles up to `lastRetryMs`. */
const firstRetryMs = 100;
const lastRetryMs = 1000;
/**
 * Maximum number of workers that find the ring or port dead during one stop. A descriptor that is dead each time it is
 * opened does not recover; without a limit the stop would wait forever.
 */
const stopDeparturesMax = 3;

export function step(cpu: CpuModel, event: CpuEvent): Step {
  switch (event.kind) {
    case 'open':
      return cpu.state.kind === 'absent' || cpu.state.kind === 'ended'
        ? enter({ ...cpu, wanted: 'stop', owesFlush: false }, { kind: 'absent' }, { kind: 'open' })
        : same(cpu);
    case 'opened':
      return opened(cpu);
    case 'unavailable':
      return unavailable(cpu, event.why, event.reason);
    case 'spawned':
      return enter(cpu, { kind: 'starting' });
    case 'ready':
      return cpu.state.kind === 'starting' ? obey(cpu) : same(cpu);
    case 'stopped':
      return stopped(cpu, event.id, event.flushed);
    case 'gone':
      return enter(cpu, { kind: 'parting', what: event.what });
    case 'exited':
      return exited(cpu, event.clean, event.restartMs);
    case 'timer':
      return timer(cpu);
    case 'run':
      return run(cpu);
    case 'stop':
      return stop(cpu, event.id);
    case 'leave':
      return leave(cpu, event.heldBytes);
    default:
      return event satisfies never;
  }
}

function same(cpu: CpuModel): Step {
  return { cpu, effects: [] };
}

function enter(cpu: CpuModel, state: CpuState, ...effects: Effect[]): Step {
  return { cpu: { ...cpu, state }, effects };
}

/** Answers the waiting stop, if there is one, before the effects of `next`. */
function answerStop(next: Step, outcome: StopOutcome): Step {
  const { stopId } = next.cpu;
  if (stopId === undefined) return next;
  return {
    cpu: { ...next.cpu, stopId: undefined, stopDepartures: 0 },
    effects: [{ kind: 'report-stop', id: stopId, outcome }, ...next.effects],
  };
}

/** Gives the current order to a worker that has none. */
function obey(cpu: CpuModel): Step {
  switch (cpu.wanted) {
    case 'run':
      return enter(cpu, { kind: 'running' }, { kind: 'send-start' });
    case 'stop':
      return cpu.stopId === undefined
        ? enter(cpu, { kind: 'ready' })
        : enter(cpu, { kind: 'stopping' }, { kind: 'send-stop', id: cpu.stopId });
    case 'leave':
      return enter(cpu, { kind: 'leaving' }, { kind: 'send-leave' });
    default:
      return cpu.wanted satisfies never;
  }
}

function opened(cpu: CpuModel): Step {
  const restartMs = cpu.state.kind === 'absent' ? cpu.state.restartMs : undefined;
  if (restartMs === undefined) return enter(cpu, { kind: 'queued' }, { kind: 'fork' });
  return enter(cpu, { kind: 'backing-off' }, { kind: 'timer', ms: restartMs });
}

function unavailable(cpu: CpuModel, why: string, reason: string): Step {
  if (cpu.wanted === 'leave') return end(cpu);
  const before = cpu.state.kind === 'waiting' ? cpu.state : undefined;
  const tries = (before?.tries ?? 0) + 1;
  const ms = Math.min(firstRetryMs * 2 ** (tries - 1), lastRetryMs);
  const effects: Effect[] = [{ kind: 'timer', ms }];
  if (before?.why !== why) effects.unshift({ kind: 'say-waiting', reason });
  return answerStop(enter(cpu, { kind: 'waiting', why, reason, tries }, ...effects), 'unreachable');
}

function stopped(cpu: CpuModel, id: number, flushed: boolean): Step {
  if (cpu.state.kind !== 'stopping' || cpu.stopId !== id) return same(cpu);
  const next = enter({ ...cpu, owesFlush: !flushed }, { kind: 'ready' });
  return answerStop(next, flushed ? 'flushed' : 'timed-out');
}

function exited(cpu: CpuModel, clean: boolean, restartMs: number | undefined): Step {
  switch (cpu.state.kind) {
    case 'leaving':
      if (clean) return end(cpu);
      break;
    case 'parting': {
      const closed: Effect = { kind: 'close', what: cpu.state.what };
      if (cpu.wanted === 'leave') return end(cpu);
      const absent: CpuState = restartMs === undefined ? { kind: 'absent' } : { kind: 'absent', restartMs };
      const stopDepartures = cpu.stopId === undefined ? 0 : cpu.stopDepartures + 1;
      const next = enter({ ...cpu, stopDepartures }, absent, closed, { kind: 'open' });
      return stopDepartures < stopDeparturesMax ? next : answerStop(next, 'unreachable');
    }
    case 'queued': // the fork failed
    case 'starting':
    case 'ready':
    case 'running':
    case 'stopping':
      break;
    case 'absent':
    case 'waiting':
    case 'backing-off':
    case 'failed':
    case 'ended': // the fork failed after the order to leave
      return same(cpu);
    default:
      return cpu.state satisfies never;
  }
  if (restartMs === undefined) {
    if (cpu.wanted === 'leave') return end(cpu);
    return answerStop(enter(cpu, { kind: 'failed' }), 'unreachable');
  }
  return enter(cpu, { kind: 'backing-off' }, { kind: 'timer', ms: restartMs });
}

function timer(cpu: CpuModel): Step {
  if (cpu.state.kind === 'backing-off') return enter(cpu, { kind: 'queued' }, { kind: 'fork' });
  if (cpu.state.kind === 'waiting') return { cpu, effects: [{ kind: 'open' }] };
  return same(cpu);
}

function run(cpu: CpuModel): Step {
  const next: CpuModel = { ...cpu, wanted: 'run', owesFlush: true };
  const { kind } = cpu.state;
  return answerStop(kind === 'ready' || kind === 'stopping' ? obey(next) : same(next), 'superseded');
}

function stop(cpu: CpuModel, id: number): Step {
  const next: CpuModel = { ...cpu, wanted: 'stop', stopId: id, stopDepartures: 0 };
  if (!cpu.owesFlush) return answerStop(same(next), 'idle');
  switch (cpu.state.kind) {
    case 'ready':
    case 'running':
    case 'stopping':
      return obey(next);
    case 'queued':
    case 'starting':
    case 'parting':
    case 'backing-off':
      return same(next);
    case 'absent':
    case 'waiting':
    case 'leaving':
    case 'failed':
    case 'ended':
      return answerStop(same(next), 'unreachable');
    default:
      return cpu.state satisfies never;
  }
}

function leave(cpu: CpuModel, heldBytes: number): Step {
  const next: CpuModel = { ...cpu, wanted: 'leave' };
  switch (cpu.state.kind) {
    case 'ready':
    case 'running':
    case 'stopping':
      return obey(next);
    case 'queued':
    case 'backing-off':
      return heldBytes > 0 ? same(next) : end(next);
    case 'starting':
    case 'parting':
    case 'leaving':
    case 'ended':
      return same(next);
    case 'absent':
    case 'waiting':
    case 'failed':
      return end(next);
    default:
      return cpu.state satisfies never;
  }
}

function end(cpu: CpuModel): Step {
  const next: CpuModel = { ...cpu, owesFlush: false };
  return answerStop(enter(next, { kind: 'ended' }, { kind: 'close', what: 'all' }), 'unreachable');
}
