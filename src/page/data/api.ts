import type { TimelineIndex } from '../../analysis/timeline/timeline-index.ts';
import type { Explanation, Guests, Job, Recording } from './types.ts';

/** What the API refuses, with what to do about it. */
export class ApiError extends Error {
  readonly status: number;
  readonly remedy: string | undefined;

  constructor(message: string, status: number, remedy: string | undefined) {
    super(message);
    this.status = status;
    this.remedy = remedy;
  }
}

function texts(value: unknown): { title?: string; detail?: string; remedy?: string } {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, each]) => typeof each === 'string'));
}

async function refusalOf(response: Response): Promise<ApiError> {
  const { title, detail, remedy } = texts(await response.json().catch(() => undefined));
  const message = detail ?? title ?? `the daemon answered ${response.status}`;
  const login = response.status === 401 ? 'open the page again with: trace-host open' : undefined;
  return new ApiError(message, response.status, remedy ?? login);
}

/** Throws ApiError, or an AbortError. */
async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError('the daemon does not answer', 0, 'is it running? systemctl status trace-host');
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, signal === undefined ? {} : { signal });
  // the daemon is trusted for the shape of its answers, not for the names in them
  const body: T = await response.json();
  return body;
}

async function post<T>(path: string, body: object): Promise<T> {
  const response = await send(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer: T = await response.json();
  return answer;
}

function recordingPath(id: string): string {
  return `/api/recordings/${encodeURIComponent(id)}`;
}

/** The daemon's API. All calls throw ApiError. */
export const api = {
  guests: (): Promise<Guests> => get('/api/guests'),
  jobs: async (): Promise<readonly Job[]> => (await get<{ jobs: readonly Job[] }>('/api/jobs')).jobs,
  stopJob: (id: string): Promise<Response> =>
    send(`/api/jobs/${encodeURIComponent(id)}`, { method: 'DELETE' }),
  recordings: async (): Promise<readonly Recording[]> =>
    (await get<{ recordings: readonly Recording[] }>('/api/recordings')).recordings,
  record: (guests: readonly string[], host: boolean, durationMs: number): Promise<{ job: string }> =>
    post('/api/recordings', { guests, host, durationMs }),
  remove: (id: string): Promise<Response> => send(recordingPath(id), { method: 'DELETE' }),
  explain: (id: string, worst: number, signal?: AbortSignal): Promise<Explanation> =>
    get(`${recordingPath(id)}/explain?worst=${worst}`, signal),
  report: async (id: string, limit: number, signal?: AbortSignal): Promise<string> =>
    (await send(`${recordingPath(id)}/report?limit=${limit}`, signal === undefined ? {} : { signal })).text(),
  perfetto: async (id: string): Promise<ArrayBuffer> =>
    (await send(`${recordingPath(id)}/perfetto`)).arrayBuffer(),
  timeline: (id: string, signal?: AbortSignal): Promise<TimelineIndex> =>
    get(`${recordingPath(id)}/timeline`, signal),
  columns: async (
    id: string,
    row: number,
    level: number,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<ArrayBuffer> =>
    (
      await send(
        `${recordingPath(id)}/timeline/${row}/${level}?from=${Math.floor(from)}&to=${Math.ceil(to)}`,
        { signal },
      )
    ).arrayBuffer(),
  fileUrl: (id: string, file: number): string => `${recordingPath(id)}/files/${file}`,
  perfettoUrl: (id: string): string => `${recordingPath(id)}/perfetto`,
};
