import type { JSX } from 'preact';
import { api } from '../data/api.ts';
import { waitsOfHost } from '../data/only-host.ts';
import type { Explanation, Thief, Wait } from '../data/types.ts';
import { causeText } from '../parts/cause-text.ts';
import { Problem } from '../parts/problem.tsx';
import { hashOf } from '../parts/route.ts';
import { counted, duration, percent, shown } from '../parts/text.ts';
import { useLoaded } from '../parts/use-loaded.ts';
import { Bar, WaitCauses } from '../timeline/waits.tsx';

const worst = 50;

/** Who made tasks of a recording's guests wait. */
export function Why({ id, onlyHost }: { id: string; onlyHost: boolean }): JSX.Element {
  const { value, error, reload } = useLoaded((signal) => api.explain(id, worst, signal), id);
  if (error !== undefined) return <Problem error={error} onRetry={reload} />;
  if (value === undefined) return <p class="note">Explaining the recording…</p>;
  return <Explained id={id} explanation={onlyHost ? waitsOfHost(value) : value} />;
}

function Explained({ id, explanation }: { id: string; explanation: Explanation }): JSX.Element {
  const { waits, waitCount, thieves, unknownNs, missing } = explanation;
  const guests = [...new Set(thieves.map(({ guest }) => guest))];
  const isInterrupt = ({ kind }: Thief): boolean => kind.endsWith('irq');
  const interrupts = thieves.filter(isInterrupt);
  return (
    <div class="why">
      <section>
        <h2>Verdict</h2>
        <p class="verdict">{verdictOf(waits)}</p>
        {missing.length > 0 && (
          <details open={waits.length === 0}>
            <summary>{counted(missing.length, 'thing')} that this recording cannot tell</summary>
            <ul>
              {missing.map((text) => (
                <li key={text}>{shown(text, 400)}</li>
              ))}
            </ul>
          </details>
        )}
      </section>
      <section>
        <h2>Longest waits</h2>
        <p class="weak">
          {waits.length} of {counted(waitCount, 'wait')}
          {unknownNs > 0 && `; ${duration(unknownNs)} of them have no known cause`}
        </p>
        {waits.length > 0 && (
          <table>
            <thead>
              <tr>
                <th scope="col" class="number">
                  Length
                </th>
                <th scope="col">Task</th>
                <th scope="col">Where</th>
                <th scope="col">Causes</th>
              </tr>
            </thead>
            <tbody>
              {waits.map((wait) => (
                <tr key={`${wait.machine} ${wait.tid} ${wait.dueNs} ${wait.kind}`}>
                  <td class="number">{duration(wait.lengthNs)}</td>
                  <th scope="row">
                    <a href={hashOf('timeline', id, { due: wait.dueNs, tid: String(wait.tid) })}>
                      {shown(wait.task)}:{wait.tid}
                    </a>
                  </th>
                  <td>
                    {shown(wait.machine, 24)} CPU {wait.cpu}
                  </td>
                  <td>
                    <WaitCauses wait={wait} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      {guests.map((guest) => (
        <Thieves
          key={guest}
          title={`Who took the CPUs of ${shown(guest, 24)}`}
          thieves={thieves.filter((thief) => thief.guest === guest && !isInterrupt(thief))}
        />
      ))}
      {interrupts.length > 0 && <Thieves title="Interrupts" thieves={interrupts} withGuest />}
    </div>
  );
}

function verdictOf(waits: readonly Wait[]): string {
  const [first] = waits;
  const [cause] = first?.causes ?? [];
  if (first === undefined || cause === undefined) return 'No wait was found.';
  const sums = new Map<string, { ns: number; count: number }>();
  for (const { causes } of waits)
    for (const each of causes) {
      const sum = sums.get(causeText(each)) ?? { ns: 0, count: 0 };
      sums.set(causeText(each), { ns: sum.ns + each.ns, count: sum.count + 1 });
    }
  const all = waits.reduce((sum, { lengthNs }) => sum + lengthNs, 0);
  const [most] = [...sums].sort((a, b) => b[1].ns - a[1].ns);
  const overall =
    most === undefined || waits.length === 1
      ? ''
      : ` Of the ${waits.length} longest waits together (${duration(all)}), most is: ${most[0]}, ${duration(most[1].ns)} (${percent(most[1].ns / all)}).`;
  return (
    `${shown(first.task)}:${first.tid} of ${shown(first.machine, 24)} waited longest, ${duration(first.lengthNs)}; ` +
    `${duration(cause.ns)} of it (${percent(cause.ns / first.lengthNs)}): ${causeText(cause)}.${overall}`
  );
}

interface ThievesProps {
  readonly title: string;
  readonly thieves: readonly Thief[];
  readonly withGuest?: boolean;
}

const mostThieves = 25;

function Thieves({ title, thieves, withGuest = false }: ThievesProps): JSX.Element {
  const all = thieves.reduce((sum, { ns }) => sum + ns, 0);
  return (
    <section>
      <h2>{title}</h2>
      {thieves.length === 0 ? (
        <p class="weak">Nobody, as far as the recording tells.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Share</th>
              <th scope="col" class="number">
                Time
              </th>
              <th scope="col" class="number">
                Count
              </th>
              <th scope="col" class="number">
                Longest
              </th>
              {withGuest && <th scope="col">Guest</th>}
              <th scope="col">Who</th>
            </tr>
          </thead>
          <tbody>
            {thieves.slice(0, mostThieves).map((thief, index) => (
              <tr key={index}>
                <td>
                  <Bar share={all === 0 ? 0 : thief.ns / all} kind={thief.kind} />{' '}
                  <span class="number">{percent(all === 0 ? 0 : thief.ns / all)}</span>
                </td>
                <td class="number">{duration(thief.ns)}</td>
                <td class="number">{thief.count}</td>
                <td class="number">{duration(thief.worstNs)}</td>
                {withGuest && <td>{shown(thief.guest, 24)}</td>}
                <td>{causeText(thief)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {thieves.length > mostThieves && <p class="weak">and {thieves.length - mostThieves} more</p>}
    </section>
  );
}
