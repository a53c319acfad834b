import type { ClockPiece } from '../../trace/dat/clock-quality.ts';
import type { Session } from '../../trace/session.ts';
import { hostTraceOf, type SessionThreads } from '../vcpu-threads.ts';
import { namedCause } from './scene/causes.ts';
import type { MachineReader } from './machine-reader.ts';
import { bufferOf, originOf, readScene } from './read-scene.ts';
import { boundBetween, clockOf, missingFrom, piecesOf, recordedPauses } from './recorded.ts';
import type { ExplainedClock, Explanation, GuestPause, VcpuStretch, Wait } from './result.ts';
import { Scene } from './scene/scene.ts';
import type { Pause } from './scene/vcpus.ts';
import { timeOf, VcpuStretches } from './vcpu-stretches.ts';
import { checkGuest, checkTask } from './wanted.ts';

/** How much is read before `from`, to know what each CPU does. */
const leadNs = 1_000_000_000n;
/** Stretches that are kept of all waits together. */
const mostOfWaits = 1 << 18;

export interface ExplainOptions {
  /** How many of the longest waits to explain. 10 by default. */
  readonly worst?: number;
  /** Only waits that are at least this long. */
  readonly overNs?: number;
  /** Only waits in this guest. Rejects with Failure (usage) if there is none of that name. */
  readonly guest?: string;
  /** Only waits of this task: its name, or its thread id. Rejects with Failure (usage) if no event names it. */
  readonly task?: string | number;
  /**
   * Only waits that end after `from` and begin before `to`: times of the host, if it was traced. By default its first and
   * last event: guests are traced a little longer, and nobody knows what the host did meanwhile.
   */
  readonly from?: bigint | undefined;
  readonly to?: bigint | undefined;
  /** When guests were paused, in times of the host, besides the pauses that are in their files. */
  readonly pauses?: readonly GuestPause[];
  /** How the clocks of guests ran, by the guest's name, for files that only have the worst of it. */
  readonly pieces?: ReadonlyMap<string, readonly ClockPiece[]>;
  /** Whether each wait has its `stretches`. False by default. */
  readonly stretches?: boolean;
  /**
   * Gets the stretches in which vCPUs did not run, those of each vCPU in the order of time, in the time of `from` and `to`.
   * They come late: when they are certain. If it returns a promise, that is awaited. Nothing is known of vCPUs unless the
   * host was traced; of a guest whose file is missing, `unknown` stretches are left out.
   */
  readonly onVcpuStretch?: (stretch: VcpuStretch) => Promise<void> | undefined;
  /** Gets the number of events read so far, about every 100 ms. */
  readonly onProgress?: (events: number) => void;
  /** Rejects with its reason when aborted. */
  readonly signal?: AbortSignal;
}

/**
 * Finds the longest waits of tasks in a session's guests, and who caused them: every nanosecond of a wait has one cause.
 * Reads all events once, in memory that depends on the number of CPUs and tasks only; yields to the event loop about
 * every 100 ms. Without the host's trace, only causes inside the guest are found. Throws Failure as `session.events` does.
 */
export async function explainSession(session: Session, options: ExplainOptions = {}): Promise<Explanation> {
  const { worst = 10, overNs = 0, guest, task, from, to, signal, onProgress = () => {} } = options;
  if (guest !== undefined) checkGuest(session, guest);
  const origin = originOf(session);
  const number = (time: bigint | undefined, otherwise: number): number =>
    time === undefined ? otherwise : Number(time - origin);
  const pauses = [...recordedPauses(session), ...(options.pauses ?? [])].map(
    (each): Pause => ({ machine: each.guest, from: number(each.from, 0), to: number(each.to, 0) }),
  );
  const hostTrace = hostTraceOf(session);
  const traced = hostTrace?.span({ buffers: [bufferOf(hostTrace)] });
  const [begin, end] = [number(from ?? traced?.first, -Infinity), number(to ?? traced?.last, Infinity)];
  const { onVcpuStretch } = options;
  const vcpus = onVcpuStretch && new VcpuStretches(onVcpuStretch, { origin, begin, end });
  const scene = new Scene(
    {
      worst,
      overNs,
      from: begin,
      to: end,
      stretches: options.stretches === true ? mostOfWaits : 0,
      isWanted: ({ machine, name, tid }) =>
        (guest === undefined || machine.name === guest) &&
        (task === undefined || (typeof task === 'string' ? name === task : tid === task)),
    },
    pauses,
    vcpus?.take,
  );
  const times = {
    ...(from !== undefined && { from: from > leadNs ? from - leadNs : 0n }),
    ...(to !== undefined && { to }),
  };
  const { readers, threads } = await readScene(session, scene, {
    origin,
    times,
    afterEvent: vcpus && (() => (vcpus.isFull ? vcpus.giveOut(scene) : undefined)),
    onProgress,
    signal,
  });
  if (task !== undefined && scene.waits.count === 0) checkTask(task, guest, [...readers.values()]);
  if (vcpus !== undefined) for (const _ of scene.lastCauses()) await vcpus.giveOut(scene);
  return explanationOf(session, scene, readers, origin, threads, options);
}

function explanationOf(
  session: Session,
  scene: Scene,
  readers: ReadonlyMap<string, MachineReader>,
  origin: bigint,
  threads: SessionThreads,
  { pieces: given = new Map(), stretches: withStretches = false }: ExplainOptions,
): Explanation {
  const clocks: Record<string, ExplainedClock> = {};
  const pieces = new Map<string, readonly ClockPiece[]>();
  for (const machine of session.machines) {
    const { name, hasHostTimes } = machine;
    const { machine: state } = readers.get(name)!;
    if (state.isHost) continue;
    const own = hasHostTimes ? (given.get(name) ?? piecesOf(machine)) : [];
    pieces.set(name, own);
    clocks[name] = clockOf(machine, own, scene.checks.get(state)!);
  }
  const waits = scene.waits.worst().map(({ due, end, stretches, ...wait }): Wait => {
    const [dueNs, endNs] = [timeOf(due, origin), timeOf(end, origin)];
    const boundNs = boundBetween(pieces.get(wait.machine) ?? [], dueNs, endNs);
    return {
      ...wait,
      dueNs,
      endNs,
      ...(boundNs !== undefined && { boundNs }),
      ...(withStretches && {
        stretches: stretches.map(({ code, entity, from, to }) => ({
          ...namedCause(code, entity, scene.entities),
          beginNs: timeOf(from, origin),
          endNs: timeOf(to, origin),
        })),
      }),
    };
  });
  const unknown = waits.flatMap(({ causes }) => causes.filter(({ kind }) => kind === 'unknown'));
  return {
    clocks,
    waits,
    waitCount: scene.waits.count,
    thieves: scene.thieves.result(scene.entities),
    unknownNs: unknown.reduce((sum, { ns }) => sum + ns, 0),
    missing: missingFrom(session, scene, [...readers.values()], threads),
  };
}

/** Converts to JSON values: times become strings. The `stretches` of waits are left out. */
export function explanationAsJson(explanation: Explanation): object {
  return JSON.parse(
    JSON.stringify(explanation, (key, value: unknown) => {
      if (key === 'stretches') return undefined;
      return typeof value === 'bigint' ? String(value) : value;
    }),
  );
}
