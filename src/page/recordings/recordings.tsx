import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import type { Job, Recording } from '../data/types.ts';
import { Dialog } from '../parts/dialog.tsx';
import { openInPerfetto } from '../parts/perfetto.ts';
import { Problem } from '../parts/problem.tsx';
import { hashOf } from '../parts/route.ts';
import { bytes, date, duration, shown } from '../parts/text.ts';
import { useLoaded } from '../parts/use-loaded.ts';

interface RecordingsProps {
  readonly recordings: readonly Recording[] | undefined;
  readonly jobs: readonly Job[];
  readonly error: unknown;
  readonly reload: () => void;
  /** A recording whose report is shown. */
  readonly id: string | undefined;
}

/** The list of recordings, and what can be done with each. */
export function Recordings({ recordings, jobs, error, reload, id }: RecordingsProps): JSX.Element {
  const [problem, setProblem] = useState<unknown>();
  const [removing, setRemoving] = useState<Recording>();
  const running = jobs.filter(({ state }) => state !== 'done');

  async function remove({ id: removed }: Recording): Promise<void> {
    try {
      await api.remove(removed);
      reload();
    } catch (refused) {
      setProblem(refused);
    }
  }

  return (
    <div class="recordings">
      {error !== undefined && <Problem error={error} onRetry={reload} />}
      {problem !== undefined && <Problem error={problem} onRetry={() => setProblem(undefined)} />}
      {running.map((job) => (
        <RunningJob key={job.id} job={job} onError={setProblem} />
      ))}
      {recordings === undefined && error === undefined && <p class="note">Loading…</p>}
      {recordings?.length === 0 && (
        <p class="note">
          There are no recordings yet. <a href={hashOf('now')}>Record 10 s</a>
          of what happens now.
        </p>
      )}
      {recordings !== undefined && recordings.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Recorded</th>
              <th scope="col">Machines</th>
              <th scope="col" class="number">
                Span
              </th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col" class="number">
                Lost
              </th>
              <th scope="col">Open</th>
            </tr>
          </thead>
          <tbody>
            {recordings.map((recording) => (
              <RecordingRow
                key={recording.id}
                recording={recording}
                onError={setProblem}
                onRemove={() => setRemoving(recording)}
              />
            ))}
          </tbody>
        </table>
      )}
      {removing !== undefined && (
        <Dialog title="Delete this recording?" onClose={() => setRemoving(undefined)}>
          <p>
            {date(removing.createdAt)}, {machinesText(removing)}, {bytes(removing.bytes)}. Its files are
            deleted for good.
          </p>
          <p class="buttons">
            <button
              type="button"
              class="danger"
              onClick={() => {
                void remove(removing);
                setRemoving(undefined);
              }}
            >
              Delete
            </button>
            <button type="button" onClick={() => setRemoving(undefined)}>
              Keep
            </button>
          </p>
        </Dialog>
      )}
      {id !== undefined && <Report id={id} />}
    </div>
  );
}

function machinesText({ machines }: Recording): string {
  return machines.map(({ name, host }) => (host ? 'host' : shown(name ?? 'guest', 24))).join(', ');
}

const jobTexts: Readonly<Record<string, string>> = {
  failed: 'Failed to record',
  stopping: 'Stopping',
  converting: 'Writing the files of',
};

function RunningJob({ job, onError }: { job: Job; onError: (error: unknown) => void }): JSX.Element {
  const who = [...(job.host ? ['host'] : []), ...job.guests.map((name) => shown(name, 24))].join(', ');
  return (
    <p class="job">
      <span>
        {jobTexts[job.state] ?? 'Recording'} {who} since {date(job.startedAt)}
        {job.error !== null && <strong class="bad"> — {shown(job.error, 300)}</strong>}
      </span>
      {job.state !== 'failed' && (
        <button type="button" onClick={() => void api.stopJob(job.id).catch(onError)}>
          Stop
        </button>
      )}
    </p>
  );
}

interface RowProps {
  readonly recording: Recording;
  readonly onError: (error: unknown) => void;
  readonly onRemove: () => void;
}

function RecordingRow({ recording, onError, onRemove }: RowProps): JSX.Element {
  const { id, createdAt, spanNs, lostBytes, overrun, machines, whole, state, error } = recording;
  const title = `${machinesText(recording)} ${date(createdAt)}`;
  const lost = [
    ...(lostBytes > 0 ? [bytes(lostBytes)] : []),
    ...(overrun > 0 ? [`${overrun} events`] : []),
    ...(whole || state === 'recording' ? [] : ['incomplete']),
  ];
  return (
    <tr>
      <th scope="row">
        {date(createdAt)}
        {error !== null && <div class="bad">{shown(error, 200)}</div>}
      </th>
      <td>{machines.length === 0 ? '–' : machinesText(recording)}</td>
      <td class="number">{spanNs === null || state === 'recording' ? '–' : duration(Number(spanNs))}</td>
      <td class="number">{bytes(recording.bytes)}</td>
      <td class={lost.length > 0 ? 'number bad' : 'number'}>{lost.length > 0 ? lost.join(', ') : 'none'}</td>
      <td>
        {state === 'recording' ? (
          <span class="weak">being recorded…</span>
        ) : (
          <div class="actions">
            <a class="button" href={hashOf('timeline', id)} aria-label={`Timeline of ${title}`}>
              Timeline
            </a>
            <a class="button" href={hashOf('why', id)} aria-label={`Why, of ${title}`}>
              Why
            </a>
            <a class="button" href={hashOf('recordings', id)} aria-label={`Report of ${title}`}>
              Report
            </a>
            <details class="more">
              <summary aria-label={`More for ${title}`}>More</summary>
              <div class="menu">
                <button type="button" onClick={() => void openInPerfetto(id, title).catch(onError)}>
                  Open in Perfetto UI
                </button>
                <a href={api.perfettoUrl(id)} download>
                  Download Perfetto file
                </a>
                {machines.map(({ name, host, bytes: size }, index) => (
                  <a key={index} href={api.fileUrl(id, index)} download>
                    Download {host ? 'host' : shown(name ?? 'guest', 24)} ({bytes(size)})
                  </a>
                ))}
                <button type="button" class="danger" onClick={onRemove}>
                  Delete…
                </button>
              </div>
            </details>
          </div>
        )}
      </td>
    </tr>
  );
}

const reportLines = 1000;

function Report({ id }: { id: string }): JSX.Element {
  const { value, error, reload } = useLoaded((signal) => api.report(id, reportLines, signal), id);
  return (
    <Dialog
      title={`Report: the first ${reportLines} events`}
      wide
      onClose={() => (location.hash = hashOf('recordings'))}
    >
      {error !== undefined && <Problem error={error} onRetry={reload} />}
      {value === undefined && error === undefined && <p>Reading…</p>}
      {value !== undefined && (
        <pre tabIndex={0} aria-label="Events">
          {value}
        </pre>
      )}
    </Dialog>
  );
}
