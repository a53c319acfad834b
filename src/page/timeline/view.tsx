import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { slice, sliceKinds } from '../../analysis/timeline/slice-kinds.ts';
import type { TimelineIndex } from '../../analysis/timeline/timeline-index.ts';
import { api } from '../data/api.ts';
import { rowsOfHost, waitsOfHost } from '../data/only-host.ts';
import { Tiles } from '../data/tiles.ts';
import type { Explanation } from '../data/types.ts';
import { Problem } from '../parts/problem.tsx';
import { hashOf } from '../parts/route.ts';
import { counted, duration, moment, percent, shown } from '../parts/text.ts';
import type { Theme } from '../parts/theme.ts';
import { useLoaded } from '../parts/use-loaded.ts';
import { TimelineCanvas } from './canvas.tsx';
import { layoutOf } from './layout.ts';
import { looks } from './palette.ts';
import { placeText, type RowShares, type SelectedSlice, sharesOf, sliceText } from './selection.ts';
import { type Viewport, within } from './viewport.ts';
import { type PlacedWait, placedWaits, WaitCauses, WaitTitle } from './waits.tsx';

/** How many waits are marked. */
const worst = 100;
/** The table follows the view after this time. */
const tableMs = 250;

interface TimelineViewProps {
  readonly id: string;
  readonly query: URLSearchParams;
  readonly theme: Theme;
  readonly onlyHost: boolean;
}

/** The timeline of a recording. */
export function TimelineView({ id, query, theme, onlyHost }: TimelineViewProps): JSX.Element {
  const { value, error, reload } = useLoaded((signal) => api.timeline(id, signal), id);
  const index = useMemo(
    () => (value !== undefined && onlyHost ? rowsOfHost(value) : value),
    [value, onlyHost],
  );
  if (error !== undefined) return <Problem error={error} onRetry={reload} />;
  if (index === undefined) return <p class="note">Reading the recording…</p>;
  if (index.rows.length === 0)
    return <p class="note">No event of this recording says what a CPU did. Record sched and irq events.</p>;
  return <Loaded key={id} id={id} index={index} query={query} theme={theme} onlyHost={onlyHost} />;
}

function Loaded({
  id,
  index,
  query,
  theme,
  onlyHost,
}: TimelineViewProps & { index: TimelineIndex }): JSX.Element {
  const [version, setVersion] = useState(0);
  const [problem, setProblem] = useState<unknown>();
  const [view, setView] = useState<Viewport>({ from: 0, to: Math.max(100, index.spanNs) });
  const [hover, setHover] = useState<SelectedSlice>();
  const [selected, setSelected] = useState<SelectedSlice>();
  const [focusRow, setFocusRow] = useState<number>();
  const [wait, setWait] = useState<PlacedWait>();
  const layout = useMemo(() => layoutOf(index), [index]);
  const tiles = useMemo(
    () => new Tiles(id, index, () => setVersion((now) => now + 1), setProblem),
    [id, index],
  );
  useEffect(() => () => tiles.close(), [tiles]);
  const hasWaits = onlyHost || index.rows.some(({ host }) => !host);
  const waits = useLoaded(
    async (signal): Promise<Explanation | undefined> =>
      hasWaits ? api.explain(id, worst, signal) : undefined,
    id,
  );
  const placed = useMemo(
    () =>
      waits.value === undefined ? [] : placedWaits(onlyHost ? waitsOfHost(waits.value) : waits.value, index),
    [waits.value, index, onlyHost],
  );

  function showWait(found: PlacedWait): void {
    const margin = Math.max(1000, (found.to - found.from) / 2);
    setView(within(found.from - margin, found.to + margin, index.spanNs));
    setWait(found);
    setSelected(undefined);
    setFocusRow(found.row);
  }

  // a row of Why leads here
  const due = query.get('due');
  useEffect(() => {
    const found = placed.find(
      ({ wait: each }) => each.dueNs === due && String(each.tid) === query.get('tid'),
    );
    if (found !== undefined) showWait(found);
  }, [due, placed]);

  function select(found: SelectedSlice | undefined): void {
    setSelected(found);
    if (found !== undefined) setFocusRow(found.row.id);
    setWait(
      found &&
        placed
          .filter(({ row, from, to }) => row === found.row.id && from < found.to && to > found.from)
          .toSorted((a, b) => b.wait.lengthNs - a.wait.lengthNs)[0],
    );
  }

  return (
    <div class="timeline" aria-busy={version === 0 || tiles.isLoading}>
      {problem !== undefined && <Problem error={problem} onRetry={() => location.reload()} />}
      <TimelineCanvas
        tiles={tiles}
        layout={layout}
        theme={theme}
        view={view}
        waits={placed}
        selected={selected}
        focusRow={focusRow}
        version={version}
        onView={setView}
        onHover={setHover}
        onSelect={select}
        onFocusRow={setFocusRow}
      />
      <aside class="timeline-side">
        <p class="timeline-hover" aria-hidden="true">
          {hover === undefined ? (
            <span class="weak">
              Wheel or W S: zoom · Shift+wheel, drag or A D: move · wheel on names: rows · Home: everything
            </span>
          ) : (
            <>
              {placeText(hover.row)}: {sliceText(hover)}, <strong>{duration(hover.to - hover.from)}</strong>
            </>
          )}
        </p>
        <section aria-live="polite" aria-label="Selection" class="selection" tabIndex={0}>
          {selected !== undefined && (
            <SliceDetails slice={selected} onZoom={(from, to) => setView(within(from, to, index.spanNs))} />
          )}
          {wait !== undefined && (
            <div class="wait">
              <WaitTitle placed={wait} />
              <WaitCauses wait={wait.wait} />
            </div>
          )}
          {selected === undefined && wait === undefined && (
            <p class="weak">Click a slice, or choose a row with ↑ ↓ and press Enter.</p>
          )}
        </section>
        <Waits
          placed={placed}
          error={waits.error}
          isLoading={hasWaits && waits.value === undefined && waits.error === undefined}
          hasWaits={hasWaits}
          current={wait}
          onChoose={showWait}
        />
        <Legend />
      </aside>
      <InView tiles={tiles} index={index} view={view} version={version} id={id} />
    </div>
  );
}

function SliceDetails({
  slice: found,
  onZoom,
}: {
  slice: SelectedSlice;
  onZoom: (from: number, to: number) => void;
}): JSX.Element {
  const margin = (found.to - found.from) / 4;
  return (
    <div>
      <h3>{found.kind === slice.mixed ? 'Several slices' : sliceText(found)}</h3>
      <dl>
        <dt>Where</dt>
        <dd>{placeText(found.row)}</dd>
        <dt>Length</dt>
        <dd>{duration(found.to - found.from)}</dd>
        <dt>From</dt>
        <dd>{moment(found.from)}</dd>
        <dt>To</dt>
        <dd>{moment(found.to)}</dd>
        {found.kind === slice.mixed && (
          <>
            <dt>Mostly</dt>
            <dd>{shown(found.name)}</dd>
            <dt>Busy</dt>
            <dd>{percent(found.busy)}</dd>
          </>
        )}
      </dl>
      <button type="button" onClick={() => onZoom(found.from - margin, found.to + margin)}>
        Zoom to it
      </button>
    </div>
  );
}

interface WaitsProps {
  readonly placed: readonly PlacedWait[];
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly hasWaits: boolean;
  readonly current: PlacedWait | undefined;
  readonly onChoose: (wait: PlacedWait) => void;
}

function Waits({ placed, error, isLoading, hasWaits, current, onChoose }: WaitsProps): JSX.Element {
  return (
    <section aria-label="Longest waits" class="waits">
      <h3>Longest waits</h3>
      {error !== undefined && <Problem error={error} />}
      {isLoading && <p class="weak">Looking for waits…</p>}
      {!hasWaits && <p class="weak">No guest was recorded: waits are those of guests' tasks.</p>}
      <ol>
        {placed.slice(0, 30).map((each) => (
          <li key={`${each.wait.tid} ${each.wait.dueNs} ${each.wait.kind}`}>
            <button
              type="button"
              class="wait-button"
              aria-pressed={each === current}
              onClick={() => onChoose(each)}
            >
              <span class="number">{duration(each.wait.lengthNs)}</span> {shown(each.wait.machine, 12)}{' '}
              {shown(each.wait.task)}:{each.wait.tid}
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Legend(): JSX.Element {
  const kinds = sliceKinds.filter((kind) => kind !== 'running');
  return (
    <details class="legend">
      <summary>Colours and patterns</summary>
      <ul>
        <li>
          <span class="swatch swatch-running" /> CPU row: a colour for each task; vCPU row: runs on a host CPU
        </li>
        {kinds.map((kind) => (
          <li key={kind}>
            <span class={`swatch swatch-${kind}`} />{' '}
            {kind === 'mixed' ? 'several short slices; the height is how busy' : looks[kind].says}
          </li>
        ))}
        <li>
          <span class="swatch swatch-wait" /> a wait of a guest's task
        </li>
      </ul>
    </details>
  );
}

interface InViewProps {
  readonly tiles: Tiles;
  readonly index: TimelineIndex;
  readonly view: Viewport;
  readonly version: number;
  readonly id: string;
}

/** The same as text: what each row shows in the view. */
function InView({ tiles, index, view, version, id }: InViewProps): JSX.Element {
  const [shares, setShares] = useState<{ readonly view: Viewport; readonly rows: readonly RowShares[] }>();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const level = tiles.levelFor((view.to - view.from) / 1000);
      setShares({ view, rows: sharesOf(tiles, index, level, view.from, view.to) });
    }, tableMs);
    return () => clearTimeout(timer.current);
  }, [tiles, index, view, version]);
  return (
    <details class="in-view">
      <summary>
        Table of what is in view
        {shares !== undefined &&
          `: ${duration(shares.view.to - shares.view.from)} from ${moment(shares.view.from)}`}
      </summary>
      {shares !== undefined && (
        <table>
          <caption class="hidden">What each row shows in the view</caption>
          <thead>
            <tr>
              <th scope="col">Row</th>
              <th scope="col" class="number">
                Busy
              </th>
              <th scope="col">Most of the time</th>
            </tr>
          </thead>
          <tbody>
            {shares.rows.map(({ row, busy, most }) => (
              <tr key={row.id}>
                <th scope="row">{placeText(row)}</th>
                <td class="number">{percent(busy)}</td>
                <td>{most.map(({ text, share }) => `${text} ${percent(share)}`).join(', ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="weak">
        {counted(index.events, 'event')}. The events as text: <a href={hashOf('recordings', id)}>report</a>
      </p>
    </details>
  );
}
