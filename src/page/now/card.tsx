import type { JSX } from 'preact';
import type { FrameMachine, Guest } from '../data/types.ts';
import { bytes, longTime, percent, rate, shown } from '../parts/text.ts';
import type { Theme } from '../parts/theme.ts';
import { CpuChart } from './cpu-chart.tsx';
import { Histogram } from './histogram.tsx';
import type { MachineHistory } from './history.ts';

const mostCharts = 16;
const mostTasks = 8;

interface CardProps {
  readonly title: string;
  readonly guest: Guest | undefined;
  readonly history: MachineHistory | undefined;
  readonly theme: Theme;
  readonly isWatched: boolean;
  readonly onWatch: (() => void) | undefined;
  readonly onRecord: () => void;
  readonly canRecord: boolean;
}

/** One machine: its state, rings, CPUs, tasks, and who takes its CPUs. */
export function Card(props: CardProps): JSX.Element {
  const { title, guest, history, theme, isWatched, onWatch, onRecord, canRecord } = props;
  const last = history?.last;
  const state = guest?.state ?? last?.state ?? 'tracing';
  return (
    <article class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class={`state state-${state}`}>{state}</span>
        {guest?.agent != null && (
          <span class="weak">
            agent {shown(guest.agent.version, 16)}, up {longTime(guest.agent.uptimeMs)}
          </span>
        )}
        <span class="fill" />
        {onWatch !== undefined && (
          <button type="button" aria-pressed={isWatched} onClick={onWatch}>
            Live
          </button>
        )}
        <button type="button" class="primary" disabled={!canRecord} onClick={onRecord}>
          Record 10 s<span class="hidden"> of {title}</span>
        </button>
      </header>
      {guest?.why != null && <p class="bad">{shown(guest.why, 300)}</p>}
      {last === undefined ? (
        onWatch !== undefined && (
          <p class="weak">{isWatched ? 'Waiting for the first second…' : 'Not followed. Choose Live.'}</p>
        )
      ) : (
        <>
          <Figures machine={last} guest={guest} />
          <div class="cpu-charts">
            {[...history!.cpus].slice(0, mostCharts).map(([cpu, each]) => (
              <CpuChart key={cpu} cpu={cpu} times={history!.times} history={each} theme={theme} />
            ))}
          </div>
          {last.cpus.length > mostCharts && <p class="weak">and {last.cpus.length - mostCharts} more CPUs</p>}
          <p class="key weak">
            <span class="key-busy" /> busy <span class="key-irq" /> interrupts <span class="key-steal" />{' '}
            stolen
          </p>
          <div class="card-columns">
            <Tasks machine={last} />
            {!last.host && <Steal machine={last} />}
            {last.wakeups !== null && <Histogram wakeups={last.wakeups} />}
          </div>
          {last.missing !== undefined && last.missing.length > 0 && (
            <p class="weak">Not traced: {last.missing.map((event) => shown(event)).join(', ')}</p>
          )}
        </>
      )}
    </article>
  );
}

function Figures({ machine, guest }: { machine: FrameMachine; guest: Guest | undefined }): JSX.Element {
  const fills = machine.cpus.map(({ ringFill }) => ringFill).filter((fill) => fill !== null);
  const fullest = fills.length === 0 ? null : Math.max(...fills);
  const restarts = guest?.agent?.restarts ?? machine.restarts;
  return (
    <dl class="figures">
      <Figure name="Events/s" value={rate(machine.eventsPerSecond)} />
      <Figure name="Data/s" value={bytes(machine.bytesPerSecond)} />
      <Figure name="Fullest ring" value={percent(fullest)} isBad={fullest !== null && fullest > 0.8} />
      <Figure name="Overwritten" value={rate(machine.overrun)} isBad={machine.overrun > 0} />
      <Figure name="Lost" value={bytes(machine.lostBytes)} isBad={machine.lostBytes > 0} />
      <Figure name="Restarts" value={String(restarts)} isBad={restarts > 0} />
    </dl>
  );
}

function Figure({
  name,
  value,
  isBad = false,
}: {
  name: string;
  value: string;
  isBad?: boolean;
}): JSX.Element {
  return (
    <div class={isBad ? 'bad' : ''}>
      <dt>{name}</dt>
      <dd>
        {isBad && <span aria-hidden="true">▲ </span>}
        {value}
      </dd>
    </div>
  );
}

function Share({ share }: { share: number }): JSX.Element {
  return (
    <svg class="bar" width="64" height="10" aria-hidden="true">
      <rect class="bar-back" width="64" height="10" />
      <rect class="bar-share" width={Math.max(1, Math.min(1, share) * 64)} height="10" />
    </svg>
  );
}

function Tasks({ machine }: { machine: FrameMachine }): JSX.Element {
  return (
    <table class="tight">
      <caption>Top tasks, share of one CPU</caption>
      <tbody>
        {machine.tasks.slice(0, mostTasks).map(({ comm, pid, share }) => (
          <tr key={pid}>
            <td>
              <Share share={share} />
            </td>
            <td class="number">{percent(share)}</td>
            <th scope="row">
              {shown(comm)}:{pid}
            </th>
          </tr>
        ))}
        {machine.tasks.length === 0 && (
          <tr>
            <td class="weak">none</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function Steal({ machine }: { machine: FrameMachine }): JSX.Element {
  return (
    <table class="tight">
      <caption>Who takes its CPUs</caption>
      <tbody>
        {machine.steal.slice(0, mostTasks).map(({ byComm, byPid, share, guestCpu }) => (
          <tr key={`${byPid} ${guestCpu}`}>
            <td>
              <Share share={share} />
            </td>
            <td class="number">{percent(share)}</td>
            <th scope="row">
              {shown(byComm)}:{byPid} <span class="weak">from CPU {guestCpu}</span>
            </th>
          </tr>
        ))}
        {machine.steal.length === 0 && (
          <tr>
            <td class="weak">nobody</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}
