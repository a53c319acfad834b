import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import type { Guests, Job } from '../data/types.ts';
import { Problem } from '../parts/problem.tsx';
import { hashOf } from '../parts/route.ts';
import { shown } from '../parts/text.ts';
import type { Theme } from '../parts/theme.ts';
import { Card } from './card.tsx';
import type { MachineHistory } from './history.ts';

const recordMs = 10_000;

interface NowProps {
  readonly guests: Guests | undefined;
  readonly error: unknown;
  readonly jobs: readonly Job[];
  readonly histories: ReadonlyMap<string, MachineHistory>;
  readonly watched: readonly string[];
  readonly onWatch: (name: string) => void;
  readonly theme: Theme;
}

/** What happens now: a card for the host, and one for each guest. */
export function Now({ guests, error, jobs, histories, watched, onWatch, theme }: NowProps): JSX.Element {
  const [problem, setProblem] = useState<unknown>();
  const [said, setSaid] = useState('');
  const recording = jobs.some(({ kind, state }) => kind === 'record' && state === 'running');

  async function record(names: readonly string[], host: boolean): Promise<void> {
    setProblem(undefined);
    try {
      await api.record(names, host, recordMs);
      setSaid(
        `Recording ${[...(host ? ['the host'] : []), ...names.map((name) => shown(name, 24))].join(' and ')} for 10 s.`,
      );
    } catch (refused) {
      setProblem(refused);
    }
  }

  return (
    <div class="now">
      {error !== undefined && <Problem error={error} />}
      {problem !== undefined && <Problem error={problem} onRetry={() => setProblem(undefined)} />}
      <p role="status" class="said">
        {said}
        {said !== '' && <a href={hashOf('recordings')}>Recordings</a>}
      </p>
      {guests?.guests.map((guest) => (
        <Card
          key={guest.name}
          title={shown(guest.name, 32)}
          guest={guest}
          history={histories.get(guest.name)}
          theme={theme}
          isWatched={watched.includes(guest.name)}
          onWatch={guest.state === 'gone' ? undefined : () => onWatch(guest.name)}
          onRecord={() => void record([guest.name], true)}
          canRecord={guest.job === null && guest.state !== 'gone'}
        />
      ))}
      {guests !== undefined && (
        <Card
          title={`Host ${shown(guests.host.hostname, 32)}`}
          guest={undefined}
          history={histories.get('')}
          theme={theme}
          isWatched={watched.includes('host')}
          onWatch={() => onWatch('host')}
          onRecord={() => void record([], true)}
          canRecord={!recording}
        />
      )}
      {guests?.guests.length === 0 && (
        <p class="note">
          No guest has ports on this host yet. <code>trace-host setup --guest NAME</code> creates them.
        </p>
      )}
    </div>
  );
}
