import type { JSX } from 'preact';
import type { TimelineIndex } from '../../analysis/timeline/timeline-index.ts';
import type { Explanation, Wait } from '../data/types.ts';
import { causeClass, causeText } from '../parts/cause-text.ts';
import { duration, moment, percent, shown } from '../parts/text.ts';

/** A wait with its place in the timeline. */
export interface PlacedWait {
  readonly wait: Wait;
  /** Id of the row. */
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

export function placedWaits({ waits }: Explanation, { rows, startNs }: TimelineIndex): PlacedWait[] {
  const start = BigInt(startNs);
  return waits.flatMap((wait) => {
    const row = rows.find(
      ({ machine, cpu, kind }) => machine === wait.machine && cpu === wait.cpu && kind === 'cpu',
    );
    if (row === undefined) return [];
    const [from, to] = [Number(BigInt(wait.dueNs) - start), Number(BigInt(wait.endNs) - start)];
    return [{ wait, row: row.id, from, to }];
  });
}

const mostCauses = 6;
/** Causes of these kinds name a CPU of the host. */
const onHost: ReadonlySet<string> = new Set([
  'preempted',
  'woken-behind',
  'other-vcpu',
  'hypervisor',
  'host-irq',
  'host-softirq',
]);

/** A wait with its causes as bars. */
export function WaitCauses({ wait }: { wait: Wait }): JSX.Element {
  const causes = wait.causes.slice(0, mostCauses);
  const rest = wait.causes.slice(mostCauses).reduce((sum, { ns }) => sum + ns, 0);
  return (
    <ul class="causes">
      {causes.map((cause, index) => (
        <li key={index}>
          <Bar share={cause.ns / wait.lengthNs} kind={cause.kind} />
          <span class="number">{percent(cause.ns / wait.lengthNs)}</span>
          <span class="number">{duration(cause.ns)}</span>
          <span>
            {causeText(cause)}
            {cause.cpu !== null && ` on ${onHost.has(cause.kind) ? 'host ' : ''}CPU ${cause.cpu}`}
            {cause.inferred && ' (inferred)'}
          </span>
        </li>
      ))}
      {rest > 0 && (
        <li>
          <Bar share={rest / wait.lengthNs} kind="unknown" />
          <span class="number">{percent(rest / wait.lengthNs)}</span>
          <span class="number">{duration(rest)}</span>
          <span>{wait.causes.length - mostCauses} more causes</span>
        </li>
      )}
    </ul>
  );
}

export function Bar({ share, kind }: { share: number; kind: string }): JSX.Element {
  return (
    <svg class="bar" width="96" height="12" aria-hidden="true">
      <rect class="bar-back" width="96" height="12" />
      <rect class={causeClass(kind)} width={Math.max(1, Math.min(1, share) * 96)} height="12" />
    </svg>
  );
}

const waitKinds: Readonly<Record<string, string>> = {
  wakeup: 'woken, waited for a CPU',
  preempted: 'preempted in the guest',
  stolen: 'current, and its vCPU did not run',
  interrupted: 'current, and an interrupt ran',
};

export function WaitTitle({ placed }: { placed: PlacedWait }): JSX.Element {
  const { wait, from } = placed;
  return (
    <>
      <h3>
        {shown(wait.task)}:{wait.tid}
      </h3>
      <p>
        waited <strong>{duration(wait.lengthNs)}</strong> on {shown(wait.machine, 24)} CPU {wait.cpu}, from{' '}
        {moment(from)}
        <br />
        <span class="weak">
          {waitKinds[wait.kind] ?? wait.kind}
          {wait.isDue && ', counted from when its timer was due'}
        </span>
      </p>
    </>
  );
}
