import './style.css';
import 'uplot/dist/uPlot.min.css';
import { render } from 'preact';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from './data/api.ts';
import { isOnlyHost } from './data/only-host.ts';
import { followEvents, type LiveState } from './data/live.ts';
import { Now } from './now/now.tsx';
import { type MachineHistory, withFrame } from './now/history.ts';
import { hashOf, useRoute } from './parts/route.ts';
import { date, shown } from './parts/text.ts';
import { useTheme } from './parts/theme.ts';
import { useLoaded } from './parts/use-loaded.ts';
import { Recordings } from './recordings/recordings.tsx';
import { TimelineView } from './timeline/view.tsx';
import { Why } from './why/why.tsx';

/** Guests that are followed without being asked to. */
const firstWatched = 4;

const views = [
  ['now', 'Now'],
  ['recordings', 'Recordings'],
  ['timeline', 'Timeline'],
  ['why', 'Why'],
] as const;

const liveTexts: Readonly<Record<LiveState, string>> = {
  connecting: 'connecting…',
  live: 'connected',
  lost: 'connection lost, trying again',
};

function Page(): JSX.Element {
  const route = useRoute();
  const [theme, toggleTheme] = useTheme();
  const [live, setLive] = useState<LiveState>('connecting');
  const [histories, setHistories] = useState<ReadonlyMap<string, MachineHistory>>(new Map());
  const [chosen, setChosen] = useState<readonly string[]>();
  const guests = useLoaded(() => api.guests(), 'guests');
  const recordings = useLoaded(() => api.recordings(), 'recordings');
  const jobs = useLoaded(() => api.jobs(), 'jobs');
  const isNow = route.view === 'now';
  const usual = guests.value && [
    'host',
    ...guests.value.guests
      .filter(({ state }) => state !== 'gone')
      .slice(0, firstWatched)
      .map(({ name }) => name),
  ];
  const watched = chosen ?? usual ?? [];
  // frames cost the daemon a process for each guest: only while they are looked at
  const followed = isNow ? JSON.stringify(watched) : '[]';

  useEffect(() => {
    const names: string[] = JSON.parse(followed);
    return followEvents(names, {
      onState: setLive,
      onFrame: (frame) => setHistories((before) => withFrame(before, frame)),
      onChange: (what) => {
        if (what === 'guests') guests.reload();
        if (what === 'jobs') jobs.reload();
        if (what === 'recordings') recordings.reload();
      },
    });
  }, [followed]);

  const needsRecording = route.view === 'timeline' || route.view === 'why';
  const id = route.id ?? (needsRecording ? recordings.value?.[0]?.id : undefined);
  const recording = recordings.value?.find((each) => each.id === id);
  useEffect(() => {
    document.title = `${views.find(([view]) => view === route.view)?.[1] ?? 'Now'} – virtio-trace`;
  }, [route.view]);

  return (
    <>
      <a class="skip" href="#main" onClick={focusMain}>
        Skip to content
      </a>
      <header class="top">
        <strong>virtio-trace</strong>
        <nav aria-label="Views">
          {views.map(([view, name]) => (
            <a
              key={view}
              href={hashOf(view, view === 'timeline' || view === 'why' ? id : undefined)}
              aria-current={route.view === view ? 'page' : undefined}
            >
              {name}
            </a>
          ))}
        </nav>
        {needsRecording && recording !== undefined && (
          <span class="weak">
            {date(recording.createdAt)},{' '}
            {recording.machines
              .map(({ name, host }) => (host ? 'host' : shown(name ?? 'guest', 16)))
              .join(', ')}
          </span>
        )}
        <span class="fill" />
        <span class={`live live-${live}`} role="status">
          {liveTexts[live]}
        </span>
        <button type="button" onClick={toggleTheme}>
          {theme === 'dark' ? 'Light' : 'Dark'}
        </button>
      </header>
      <main id="main" tabIndex={-1} class={`view view-${route.view}`}>
        <h1 class="hidden">{views.find(([view]) => view === route.view)?.[1] ?? 'Not found'}</h1>
        {isNow && (
          <Now
            guests={guests.value}
            error={guests.error}
            jobs={jobs.value ?? []}
            histories={histories}
            watched={watched}
            onWatch={(name) =>
              setChosen(watched.includes(name) ? watched.filter((each) => each !== name) : [...watched, name])
            }
            theme={theme}
          />
        )}
        {route.view === 'recordings' && (
          <Recordings
            recordings={recordings.value}
            jobs={jobs.value ?? []}
            error={recordings.error}
            reload={recordings.reload}
            id={route.id}
          />
        )}
        {needsRecording && id === undefined && recordings.value !== undefined && (
          <p class="note">
            There is no recording yet. <a href={hashOf('now')}>Record 10 s</a> of what happens now.
          </p>
        )}
        {route.view === 'timeline' && id !== undefined && (
          <TimelineView id={id} query={route.query} theme={theme} onlyHost={isOnlyHost(recording)} />
        )}
        {route.view === 'why' && id !== undefined && <Why id={id} onlyHost={isOnlyHost(recording)} />}
        {!views.some(([view]) => view === route.view) && (
          <p class="note">
            There is no such view. <a href={hashOf('now')}>Now</a>
          </p>
        )}
      </main>
    </>
  );
}

function focusMain(event: Event): void {
  // the hash is the route
  event.preventDefault();
  document.getElementById('main')?.focus();
}

render(<Page />, document.getElementById('page')!);
